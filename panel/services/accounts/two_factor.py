"""Two-factor authentication: TOTP codes (RFC 6238) from an encrypted secret, and recovery codes.

Each code is accepted once, which prevents replay. Recovery codes are stored as hashes.
"""

import hashlib
import secrets
from datetime import datetime
from enum import Enum

import pyotp
from pyotp.exceptions import OTPVerificationError
from sqlalchemy import delete, func, select, update

from panel.db import db, execute_write, lock_rows
from panel.domain.errors import ActionRefused, BadInput, NotFound, StaleForm
from panel.models import LoginSession, RecoveryCode, User
from panel.security.encryption import DecryptionFailed, decrypt, encrypt
from panel.services import audit_log
from panel.services.accounts import email_confirmation, pending_sessions, sessions, users
from panel.services.mail import security_alerts
from panel.settings import Settings

DIGITS = 6
STEP_SECONDS = 30
# Accepted clock difference of a phone, in time steps.
STEPS_AROUND = 1
RECOVERY_CODES = 10
GROUPS, GROUP_LENGTH = 4, 4
# Without characters that look alike. Sixteen of them have 79 bits, too many to try even against the hash.
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"


class _Change(Enum):
    """A change of two-factor settings: its name in the audit log, and the first sentence of the mail."""

    SET_UP = "Two-factor authentication was turned on for your account"
    REPLACED = "The authenticator app of your account was replaced"
    TURNED_OFF = "Two-factor authentication was turned off for your account"
    RESET = "We turned off two-factor authentication for your account"
    NEW_CODES = "New recovery codes were created for your account"
    CODE_USED = "A recovery code of your account was used"


def new_secret() -> str:
    """A new secret in base32."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, *, email: str, site_name: str) -> str:
    """The `otpauth://` URI for the QR code."""
    # A colon separates issuer and account, so the name must not contain one.
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=site_name.replace(":", " "))


def encrypt_offer(secret: str, *, user_id: int, settings: Settings) -> str:
    """Encrypt a new secret for a hidden form field; it is stored only after a code proves it."""
    return encrypt(f"totp offer:{user_id}:{secret}", settings=settings)


def decrypt_offer(ciphertext: str, *, user_id: int, settings: Settings) -> str:
    """Decrypt the secret offered to this user. Raises StaleForm."""
    try:
        text = decrypt(ciphertext, settings=settings)
    except DecryptionFailed:
        text = ""
    begins = f"totp offer:{user_id}:"
    if not text.startswith(begins):
        raise StaleForm("This form was damaged or is not yours. Nothing was changed. Start again with the key below.")
    return text.removeprefix(begins)


def is_enabled(user_id: int) -> bool:
    """Whether two-factor authentication is on for this account."""
    return bool(db.session.scalar(select(User.encrypted_totp).where(User.id == user_id)))


def enable(user_id: int, *, secret: str, code: str, settings: Settings, now: datetime) -> list[str]:
    """Turn on two-factor authentication after a correct code. Returns the recovery codes, which are shown only once.

    Raises EmailNotConfirmed, BadInput for a wrong code, and StaleForm if it is already on.
    """
    email_confirmation.hold_confirmed(user_id)
    user = _locked(user_id)
    if user.encrypted_totp:
        raise StaleForm(
            "Two-factor authentication is already on. You may have sent this form twice. Nothing was changed now. "
            "Recovery codes can’t be shown twice. If you didn’t save them, get new ones."
        )
    return _keep(user, secret=secret, code=code, settings=settings, what=_Change.SET_UP, now=now)


def replace(user_id: int, *, secret: str, code: str, settings: Settings, now: datetime) -> list[str]:
    """Replace the secret; call `verify_code` with a code of the old one first. Returns and raises like `enable`."""
    user = _locked(user_id)
    if not user.encrypted_totp:
        raise StaleForm("Two-factor authentication is off, so there is nothing to replace.")
    return _keep(user, secret=secret, code=code, settings=settings, what=_Change.REPLACED, now=now)


def verify_code(user_id: int, *, code: str, field: str = "code", settings: Settings, now: datetime) -> int | None:
    """Verify and use up a code. Returns None for an app code, and the number left for a recovery code.

    Raises BadInput for a code that is wrong, expired or already used.
    """
    user = _locked(user_id)
    try:
        return _take(user, "".join(code.split()).replace("-", "").lower(), settings=settings, now=now)
    except BadInput as error:
        raise BadInput(error.message, field=field) from None


def _take(user: User, typed: str, *, settings: Settings, now: datetime) -> int | None:
    if not typed:
        raise BadInput("The code is missing.")
    if len(typed) == DIGITS and typed.isascii() and typed.isdigit():
        _take_step(user, _step_of(typed, secret=_secret(user, settings=settings), now=now))
        return None
    _take_recovery_code(user, typed, now=now)
    left = recovery_codes_left(user.id)
    _notify(_Change.CODE_USED, user=user, detail=f"{left} left", now=now)
    return left


def disable(user_id: int, *, now: datetime) -> None:
    """Turn off two-factor authentication. Raises Refused for operators, who can only replace it."""
    user = _locked(user_id)
    if user.is_staff:
        raise ActionRefused(
            "Operators can’t turn off two-factor authentication. You can replace the authenticator app."
        )
    _forget(user)
    _notify(_Change.TURNED_OFF, user=user, now=now)


def remove(user_id: int) -> None:
    """Remove two-factor authentication of an account that a stranger opened, without a notification."""
    _forget(_locked(user_id))


def new_recovery_codes(user_id: int, *, now: datetime) -> list[str]:
    """Create ten new recovery codes, shown only once; the old ones stop working."""
    user = _locked(user_id)
    if not user.encrypted_totp:
        raise StaleForm("Two-factor authentication is off, so there are no recovery codes.")
    _notify(_Change.NEW_CODES, user=user, now=now)
    return _fresh_codes(user.id)


def recovery_codes_left(user_id: int) -> int:
    found = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return db.session.scalar(found) or 0


def reset(email: str, *, reason: str, actor: str, now: datetime) -> None:
    """Remove two-factor authentication for an owner who lost the device, and end all sessions. Raises NotFound."""
    reason = audit_log.checked_reason(reason)
    user = users.find_by_email(email, is_locked=True)
    if user is None:
        raise NotFound(f"There is no account with the email {email}.")
    if not user.encrypted_totp:
        raise ActionRefused(f"{user.email} doesn’t use two-factor authentication.")
    _forget(user)
    sessions.end_others(user.id, keep=0, now=now)
    _notify(_Change.RESET, user=user, actor=actor, detail=reason, now=now)


def code_at(secret: str, *, at: datetime) -> str:
    """The TOTP code of this secret at a time."""
    return pyotp.TOTP(secret).at(at)


def next_code(email: str, *, settings: Settings, now: datetime) -> str:
    """A code that is valid now: the current one, or the next if it was used. Raises NotFound and Refused."""
    user = users.find_by_email(email)
    if user is None:
        raise NotFound(f"There is no account with the email {email}.")
    totp = pyotp.TOTP(_secret(user, settings=settings))
    present = totp.timecode(now)
    step = max(present, user.totp_step + 1)
    if step > present + STEPS_AROUND:
        raise ActionRefused(f"The present code and the next have been used. Ask again in {STEP_SECONDS} seconds.")
    return totp.generate_otp(step)


def _locked(user_id: int) -> User:
    user: User = db.session.scalars(
        lock_rows(select(User).where(User.id == user_id)).execution_options(populate_existing=True)
    ).one()
    return user


def _secret(user: User, *, settings: Settings) -> str:
    if not user.encrypted_totp:
        raise StaleForm("This account doesn’t use two-factor authentication, so there is no code to show.")
    try:
        return decrypt(user.encrypted_totp, settings=settings)
    except DecryptionFailed:
        # Restored without the encryption key. Recovery codes are hashes and don't need it.
        raise ActionRefused(
            "Codes of your app can’t be checked here any more. Use a recovery code, or ask us to reset your second "
            "factor."
        ) from None


def _keep(user: User, *, secret: str, code: str, settings: Settings, what: _Change, now: datetime) -> list[str]:
    """Store the proven secret and end all other sessions."""
    typed = "".join(code.split())
    if not typed:
        raise BadInput("The code is missing.", field="code")
    step = _step_of(typed, secret=secret, now=now)
    user.encrypted_totp, user.totp_step = encrypt(secret, settings=settings), step
    pending_sessions.end_all(user.id)
    db.session.flush()
    _notify(what, user=user, now=now)
    return _fresh_codes(user.id)


def _step_of(typed: str, *, secret: str, now: datetime) -> int:
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(typed, for_time=now, valid_window=STEPS_AROUND)
    except OTPVerificationError:
        raise _wrong() from None


def _take_step(user: User, step: int) -> None:
    """Compare-and-set in one statement: of two concurrent uses of a code, one succeeds."""
    if not execute_write(update(User).where(User.id == user.id, User.totp_step < step).values(totp_step=step)):
        raise BadInput(
            f"This code has been used. Wait for the next one: your app shows it within {STEP_SECONDS} seconds.",
            field="code",
        )


def _take_recovery_code(user: User, typed: str, *, now: datetime) -> None:
    unused = (RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None))
    with_this_hash = RecoveryCode.code_hash == _code_hash(user.id, typed)
    if not user.encrypted_totp or not execute_write(
        update(RecoveryCode).where(*unused, with_this_hash).values(used_at=now)
    ):
        raise _wrong()


def _fresh_codes(user_id: int) -> list[str]:
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    plain = ["".join(secrets.choice(_SIGNS) for _ in range(GROUPS * GROUP_LENGTH)) for _ in range(RECOVERY_CODES)]
    db.session.add_all(RecoveryCode(user_id=user_id, code_hash=_code_hash(user_id, code)) for code in plain)
    db.session.flush()
    return ["-".join(code[at : at + GROUP_LENGTH] for at in range(0, len(code), GROUP_LENGTH)) for code in plain]


def _code_hash(user_id: int, plain: str) -> str:
    return hashlib.sha256(f"{user_id}:{plain}".encode(errors="replace")).hexdigest()


def _forget(user: User) -> None:
    user.encrypted_totp = ""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    db.session.execute(update(LoginSession).where(LoginSession.user_id == user.id).values(second_factor_at=None))
    pending_sessions.end_all(user.id)
    db.session.flush()


def _notify(what: _Change, *, user: User, actor: str = "", detail: str = "", now: datetime) -> None:
    """Notify the owner by mail, and write operators' changes to the audit log."""
    security_alerts.second_factor_changed(user.id, what.value, now=now)
    if actor or user.is_staff:
        action, subject = f"second factor {what.name.lower().replace('_', ' ')}", f"customer {user.id}"
        audit_log.write(action, actor=actor or user.email, subject=subject, detail=detail, now=now)


def _wrong() -> BadInput:
    return BadInput(
        "This code is not right. Enter the code that your app shows now. If it fails again, check the time on your "
        "phone.",
        field="code",
    )
