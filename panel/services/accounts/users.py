"""User accounts: creation, password hashing and verification, look-up by email.

Hashing takes some thirty milliseconds and happens outside transactions, so functions that write take the hash.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from panel.db import db, lock_rows, table_of
from panel.domain.accounts import email_address, weak_passwords
from panel.domain.accounts.roles import Role
from panel.domain.errors import BadInput, EmailTaken
from panel.models import User
from panel.services.accounts import hashing_turns, pending_sessions
from panel.services.money import ledger

MAX_EMAIL_LENGTH = 254
EMAILS_AT_ONCE = 500
MIN_PASSWORD_LENGTH = 10
MAX_PASSWORD_LENGTH = 200
WHAT_IS_RIGHT = "Choose a few words that don’t belong together, or let a password manager make one."

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
# Hash of a discarded random password, checked for unknown emails so that timing doesn't reveal accounts.
NOBODYS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$1X7qPkGUhvp3xWE4TdKDfg$3NeypiNvM1v7DfldKActO+b/UFAS0FsRAbXxNPD/+34"
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def normalize_email(text: str) -> str:
    """Canonical email address: trimmed, lower case, Unicode host. Raises BadInput."""
    email = text.strip().lower()
    if not email:
        raise BadInput("The email is missing. It should look like name@example.com.", field="email")
    if len(email) > MAX_EMAIL_LENGTH:
        raise BadInput(f"The email is longer than {MAX_EMAIL_LENGTH} characters.", field="email")
    if _EMAIL.fullmatch(email) is None or not email.isprintable():
        raise BadInput("This email is not complete. It should look like name@example.com.", field="email")
    try:
        return email_address.canonical(email)
    except email_address.BadLocalPart as error:
        most = email_address.MAX_LOCAL_PART_LENGTH
        raise BadInput(
            "Mail can’t reach this email: the part before the @ has letters that mail servers don’t take, or more than "
            f"{most} characters.",
            field="email",
        ) from error
    except email_address.BadHost as error:
        raise BadInput(
            "Mail can’t reach this email: the part after the @ is not the name of a host, such as example.com.",
            field="email",
        ) from error


def check_new_password(password: str, *, email: str, site_name: str) -> None:
    """Raises BadInput unless the password has 10 to 200 characters and isn't a common one."""
    password = weak_passwords.normalize(password)
    if len(password) < MIN_PASSWORD_LENGTH:
        raise BadInput(f"The password needs at least {MIN_PASSWORD_LENGTH} characters.", field="password")
    if len(password) > MAX_PASSWORD_LENGTH:
        raise BadInput(f"The password may have at most {MAX_PASSWORD_LENGTH} characters.", field="password")
    if weak_passwords.is_variant_of(password, (email, email.partition("@")[0], site_name)):
        raise BadInput(
            f"This password is too close to your email or to the name of this site. {WHAT_IS_RIGHT}", field="password"
        )
    if weak_passwords.is_common(password):
        raise BadInput(
            f"This password, or one very much like it, is on the lists that attackers try first. {WHAT_IS_RIGHT}",
            field="password",
        )


def hash_password(password: str) -> str:
    """Argon2id hash of the password. Slow by design: call it outside transactions."""
    with hashing_turns.running:
        return _hasher.hash(weak_passwords.normalize(password))


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether the password matches the hash. Without a hash (no such account) it takes equally long and returns False.

    Older versions hashed passwords without Unicode normalization, so those forms are tried too.
    """
    kept = password_hash or NOBODYS_HASH
    return any(_verifies(kept, form) for form in _forms(password)) and password_hash is not None


def fresh_hash(password: str, password_hash: str | None) -> str | None:
    """A new hash of a correct password if the stored one has outdated parameters or normalization, else None."""
    if password_hash is None:
        return None
    is_of_another_form = not password.isascii() and not _verifies(password_hash, weak_passwords.normalize(password))
    return hash_password(password) if is_of_another_form or _hasher.check_needs_rehash(password_hash) else None


def _forms(password: str) -> list[str]:
    """Unicode forms under which this password may have been hashed; one for ASCII."""
    normal = weak_passwords.normalize(password)
    return list(dict.fromkeys((normal, password, unicodedata.normalize("NFD", normal))))


def _verifies(password_hash: str, form: str) -> bool:
    try:
        with hashing_turns.running:
            return _hasher.verify(password_hash, form)
    except (VerificationError, InvalidHashError):
        return False
    finally:
        hashing_turns.give_way()


def add_user(
    email: str, *, password_hash: str, role: Role = Role.CUSTOMER, is_confirmed: bool = True, now: datetime
) -> User:
    """Create an account with a zero balance. Raises BadInput or EmailTaken.

    Accounts created by operators count as confirmed; a new customer's email must still be confirmed.
    """
    email = normalize_email(email)
    if find_by_email(email) is not None:
        raise _taken()
    user = User(
        email=email,
        password_hash=password_hash,
        role=role.value,
        email_confirmed_at=now if is_confirmed else None,
        created_at=now,
    )
    try:
        with db.session.begin_nested():
            db.session.add(user)
    except IntegrityError:
        raise _taken() from None
    ledger.open_account(user.id)
    return user


def add_users(emails: Sequence[str], *, password_hash: str, now: datetime) -> list[int]:
    """Create accounts for many customers, whose normalized emails are free; returns their ids in this order."""
    row = {"password_hash": password_hash, "role": Role.CUSTOMER.value, "created_at": now}
    # With RETURNING, SQLite would insert row by row.
    db.session.execute(insert(table_of(User)), [{"email": email, **row} for email in emails])
    made = db.session.execute(select(User.email, User.id).where(User.email.in_(emails)))
    by_email = {each.email: each.id for each in made}
    ids = [by_email[email] for email in emails]
    ledger.open_accounts(ids)
    return ids


def taken(emails: Iterable[str]) -> set[str]:
    """Those of these emails that an account has, in any spelling."""
    by_spelling = {spelling: email for email in emails for spelling in email_address.spellings(email)}
    found: set[str] = set()
    spellings = list(by_spelling)
    for start in range(0, len(spellings), EMAILS_AT_ONCE):
        wanted = User.email.in_(spellings[start : start + EMAILS_AT_ONCE])
        rows = db.session.scalars(select(User.email).where(wanted))
        found.update(by_spelling[email] for email in rows)
    return found


def find(user_id: int) -> User:
    return db.session.get_one(User, user_id)


def find_by_email(email: str, *, is_locked: bool = False) -> User | None:
    """Find a user by email in any spelling; `is_locked` locks the row until the transaction ends.

    If an older version stored two spellings as two accounts, the exact spelling wins.
    """
    user_id = id_by_email(email)
    if user_id is None:
        return None
    statement = select(User).where(User.id == user_id, User.email.in_(email_address.spellings(email)))
    return db.session.scalar(lock_rows(statement) if is_locked else statement)


def has_staff(user_ids: list[int]) -> bool:
    """Whether one of these accounts is of the staff, and neither closed nor disabled."""
    is_active = and_(User.is_staff, User.closed_at.is_(None), User.disabled_at.is_(None))
    return db.session.scalar(select(User.id).where(User.id.in_(user_ids), is_active).limit(1)) is not None


def has_owner() -> bool:
    """Whether an account that isn't closed has the role owner."""
    owner = select(User.id).where(User.role == Role.OWNER, User.closed_at.is_(None))
    return db.session.scalar(owner.limit(1)) is not None


def id_by_email(email: str) -> int | None:
    spellings = email_address.spellings(email)
    found = {row[1]: row[0] for row in db.session.execute(select(User.id, User.email).where(User.email.in_(spellings)))}
    return next((found[spelling] for spelling in spellings if spelling in found), None)


def password_hash_by_email(email: str) -> str | None:
    return db.session.scalar(select(User.password_hash).where(User.id == id_by_email(email)))


def set_password(user_id: int, *, password_hash: str) -> None:
    """Store a new hash and end pending sessions; `sessions` ends login sessions."""
    db.session.execute(update(User).where(User.id == user_id).values(password_hash=password_hash))
    pending_sessions.end_all(user_id)


def _taken() -> EmailTaken:
    return EmailTaken("There is an account with this email already. Log in with it, or use another email.")
