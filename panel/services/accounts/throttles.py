"""Throttling of log-ins, codes, mails and sign-ups, counted in the database per account and network.

Nobody can lock out somebody else: a network is limited by its own attempts, known devices have a separate count, and
the total over all networks only slows down unknown devices.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from panel.db import db
from panel.domain.accounts import email_address, mail_hosts
from panel.domain.errors import TooManyTries
from panel.models import ThrottleHit

# How long a browser stays a known device of an account.
DEVICE_KNOWN_FOR = timedelta(days=400)
TRIES_WINDOW = timedelta(minutes=15)
MAX_WINDOW = timedelta(hours=1)

PASSWORDS_PER_ACCOUNT_AND_NETWORK = 10
PASSWORDS_PER_NETWORK = 50
PASSWORDS_PER_DEVICE = 10
# Beyond this total over all networks, unknown devices are slowed down: few attempts per network, with waits.
PASSWORDS_BEFORE_SLOWING = 50
SLOWED_PASSWORDS_PER_NETWORK = 3
FIRST_WAIT = timedelta(seconds=5)
# Fewer than for passwords: three of a million codes are valid at any time.
CODES_PER_ACCOUNT_AND_NETWORK = 5
CODES_PER_NETWORK = 50
CODES_PER_DEVICE = 5
# Beyond this total over all networks, unknown devices wait after each code.
CODES_BEFORE_SLOWING = 20
MAX_CODE_WAIT = timedelta(minutes=1)
# Beyond this number, an account's known devices count as unknown: their cookies may have been stolen.
TRIES_OF_KNOWN_DEVICES = 50
MAILS_PER_ADDRESS = 3
MAILS_PER_PERSON = 5
MAILS_PER_NETWORK = 20
VOUCHERS_PER_ACCOUNT = 10
VOUCHERS_PER_NETWORK = 50

TOO_MANY = "There were too many tries. Try again in {wait}."


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit: attempts per window, and the error message."""

    bucket: str
    most: int
    window: timedelta = TRIES_WINDOW
    message: str = TOO_MANY


@dataclass(frozen=True, slots=True)
class Tries:
    """The counted attempt: recorded before the check, removed after a correct password or code."""

    bucket: str
    try_ids: tuple[int, ...]


def count_log_in(email: str, *, network: str, device: str | None, now: datetime) -> Tries:
    """Count a log-in before its password is checked. `device`: a known device of this account.

    Raises TooManyTries.
    """
    account = account_bucket(email)
    here, everywhere = f"{account} network:{network}", f"everywhere:{account}"
    _queue_up([f"devices:{account}", here, everywhere, f"network:{network}"])
    if device is not None and _count_of(f"devices:{account}", now=now) < TRIES_OF_KNOWN_DEVICES:
        return _count([Limit(f"device:{device}:{account}", PASSWORDS_PER_DEVICE)], also=[f"devices:{account}"], now=now)
    limits = [Limit(here, PASSWORDS_PER_ACCOUNT_AND_NETWORK), Limit(f"network:{network}", PASSWORDS_PER_NETWORK)]
    if _count_of(everywhere, now=now) >= PASSWORDS_BEFORE_SLOWING:
        _refuse_beyond(Limit(here, SLOWED_PASSWORDS_PER_NETWORK), now=now)
        _wait_after(here, FIRST_WAIT * 2 ** _count_of(here, now=now), now=now)
    return _count(limits, also=[everywhere], now=now)


def count_own_password(session_id: int, *, now: datetime) -> Tries:
    """Count a password check by the logged-in user; others can't use up these attempts."""
    return _count([Limit(f"session:{session_id}", PASSWORDS_PER_DEVICE)], now=now)


def count_code(user_id: int, *, network: str, device: str | None, now: datetime) -> Tries:
    """Count a two-factor code before it is checked, independent of the password count."""
    devices, everywhere = f"code devices:{user_id}", f"code everywhere:{user_id}"
    _queue_up([devices, everywhere])
    if device is not None and _count_of(devices, now=now) < TRIES_OF_KNOWN_DEVICES:
        return _count([Limit(f"code device:{device}:{user_id}", CODES_PER_DEVICE)], also=[devices], now=now)
    over = _count_of(everywhere, now=now) - CODES_BEFORE_SLOWING
    if over >= 0:
        # Over all networks: a known password and many networks must not make codes guessable.
        _wait_after(everywhere, min(MAX_CODE_WAIT, FIRST_WAIT * 2 ** min(over // 5, 10)), now=now)
    limits = [
        Limit(f"code:{user_id} network:{network}", CODES_PER_ACCOUNT_AND_NETWORK),
        Limit(f"code network:{network}", CODES_PER_NETWORK),
    ]
    return _count(limits, also=[everywhere], now=now)


def count_own_code(session_id: int, *, now: datetime) -> Tries:
    """Count a code entered by the logged-in user."""
    return _count([Limit(f"code session:{session_id}", CODES_PER_DEVICE)], now=now)


def count_voucher(user_id: int, *, network: str, now: datetime) -> Tries:
    """Count a voucher code before it is looked up. Raises TooManyTries."""
    limits = [
        Limit(f"voucher:{user_id}", VOUCHERS_PER_ACCOUNT),
        Limit(f"voucher network:{network}", VOUCHERS_PER_NETWORK),
    ]
    return _count(limits, now=now)


def count_reset(email: str, *, network: str, now: datetime) -> bool:
    """Count a password reset request, for a known or unknown address. Raises TooManyTries per network.

    False if too many mails were sent to this address lately, by any requester; links already sent still work.
    """
    account = account_bucket(email)
    limits = [
        Limit(f"mail {account} network:{network}", MAILS_PER_ADDRESS),
        Limit(f"mail network:{network}", MAILS_PER_NETWORK),
    ]
    everywhere = f"mail {account}"
    _queue_up([everywhere])
    may_mail = _count_of(everywhere, now=now) < MAILS_PER_ADDRESS
    _count(limits, also=[everywhere] if may_mail else [], now=now)
    return may_mail


def count_mail(user_id: int, *, network: str, now: datetime) -> None:
    """Count a mail requested by the logged-in user, to any address.

    Raises TooManyTries.
    """
    limits = [
        Limit(f"mail of:{user_id}", MAILS_PER_PERSON),
        Limit(f"mail network:{network}", MAILS_PER_NETWORK),
    ]
    _count(limits, now=now)


def count_sign_up(email: str, *, network: str, most_an_hour: int, now: datetime) -> None:
    """Count a sign-up. Raises TooManyTries per network, and per mail host for uncommon hosts.

    The owner of a mail host can create any number of addresses there, unlike at the large providers.
    """
    network_message = "Many accounts were opened from your network within the last hour. Try again in {wait}."
    host_message = "Many accounts were opened with addresses at this host within the last hour. Try again in {wait}."
    limits = [Limit(f"sign-up network:{network}", most_an_hour, MAX_WINDOW, network_message)]
    host = email.rpartition("@")[2]
    if not mail_hosts.is_common(host):
        limits.append(Limit(f"sign-up host:{host}", most_an_hour, MAX_WINDOW, host_message))
    _count(limits, now=now)


def forget(tries: Tries) -> None:
    """Forget a successful attempt: reset its own count, and remove it from the shared ones."""
    db.session.execute(
        delete(ThrottleHit).where((ThrottleHit.bucket == tries.bucket) | ThrottleHit.id.in_(tries.try_ids))
    )


def reset_counts(email: str, *, user_id: int) -> None:
    """Reset all counts of an account after its owner has proved access to the mailbox."""
    account, buckets = account_bucket(email), ThrottleHit.bucket
    for mine in (f"{account} ", f"code:{user_id} "):
        db.session.execute(delete(ThrottleHit).where(buckets.startswith(mine, autoescape=True)))
    whole = (f"everywhere:{account}", f"devices:{account}", f"code everywhere:{user_id}", f"code devices:{user_id}")
    db.session.execute(delete(ThrottleHit).where(buckets.in_(whole)))


def account_bucket(email: str) -> str:
    """Bucket of the account with this email. Hashed, because people also type passwords into that field."""
    return f"account:{hashlib.sha256(email_address.one_spelling(email).encode(errors='replace')).hexdigest()}"


def _count(limits: list[Limit], *, also: list[str] | None = None, now: datetime) -> Tries:
    buckets = [*(limit.bucket for limit in limits), *(also or [])]
    _queue_up(buckets)
    db.session.execute(delete(ThrottleHit).where(ThrottleHit.at <= now - MAX_WINDOW))
    for limit in limits:
        _refuse_beyond(limit, now=now)
    tries = [ThrottleHit(bucket=bucket, at=now) for bucket in buckets]
    db.session.add_all(tries)
    db.session.flush()
    return Tries(buckets[0], tuple(each.id for each in tries))


def _queue_up(buckets: list[str]) -> None:
    # Two concurrent attempts must not both be the tenth. Locked in a fixed order to avoid deadlocks; SQLite has one
    # writer.
    if db.engine.dialect.name == "postgresql":
        for bucket in sorted(buckets):
            db.session.execute(select(func.pg_advisory_xact_lock(func.hashtext(bucket))))


def _count_of(bucket: str, *, now: datetime, window: timedelta = TRIES_WINDOW) -> int:
    within = (ThrottleHit.bucket == bucket, ThrottleHit.at > now - window)
    return db.session.scalar(select(func.count()).select_from(ThrottleHit).where(*within)) or 0


def _wait_after(bucket: str, wait: timedelta, *, now: datetime) -> None:
    last = db.session.scalar(select(func.max(ThrottleHit.at)).where(ThrottleHit.bucket == bucket))
    if last is not None and last + wait > now:
        raise too_many(TOO_MANY, left=last + wait - now)


def _refuse_beyond(limit: Limit, *, now: datetime) -> None:
    within = (ThrottleHit.bucket == limit.bucket, ThrottleHit.at > now - limit.window)
    times = db.session.scalars(
        select(ThrottleHit.at).where(*within).order_by(ThrottleHit.at.desc()).limit(limit.most)
    ).all()
    if len(times) >= limit.most:
        raise too_many(limit.message, left=times[-1] + limit.window - now)


def too_many(message: str, *, left: timedelta) -> TooManyTries:
    """The error with the remaining time, as text and as a number."""
    seconds = max(1, -(-left // timedelta(seconds=1)))
    amount, unit = (seconds, "second") if seconds <= 60 else (-(-seconds // 60), "minute")
    wait = f"{amount} {unit}" if amount == 1 else f"{amount} {unit}s"
    return TooManyTries(message.format(wait=wait), retry_after_seconds=seconds)
