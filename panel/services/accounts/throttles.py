"""Throttles of logins, codes, mails and sign-ups: counted in the database, by account and network together.

Nobody can lock somebody else out. A network is refused for what came from that network; a device that has logged in
before has a count of its own; what comes from all networks together only slows strangers down.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from panel.db import db
from panel.domain import email_address, mail_hosts
from panel.domain.errors import TooManyTries
from panel.models import ThrottleHit

# How long a browser that has logged in is known as a device of that account.
DEVICE_KNOWN_FOR = timedelta(days=400)
TRIES_WINDOW = timedelta(minutes=15)
LONGEST_WINDOW = timedelta(hours=1)

PASSWORDS_PER_ACCOUNT_AND_NETWORK = 10
PASSWORDS_PER_NETWORK = 50
PASSWORDS_PER_DEVICE = 10
# Beyond this many, over all networks, strangers are slowed down: each network has few tries and waits between them.
PASSWORDS_BEFORE_SLOWING = 50
SLOWED_PASSWORDS_PER_NETWORK = 3
FIRST_WAIT = timedelta(seconds=5)
# Fewer than passwords: three of a million codes are right at any time.
CODES_PER_ACCOUNT_AND_NETWORK = 5
CODES_PER_NETWORK = 50
CODES_PER_DEVICE = 5
# Beyond this many, over all networks, there is a wait after each code of a stranger, whoever sends the next.
CODES_BEFORE_SLOWING = 20
LONGEST_CODE_WAIT = timedelta(minutes=1)
# Beyond this many, the known devices of one account are strangers too: somebody has collected their cookies.
TRIES_OF_KNOWN_DEVICES = 50
MAILS_PER_ADDRESS = 3
MAILS_PER_PERSON = 5
MAILS_PER_NETWORK = 20

TOO_MANY = "There were too many tries. Try again in {wait}."


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many in a bucket within a window, and what whoever comes too often is told."""

    bucket: str
    most: int
    window: timedelta = TRIES_WINDOW
    message: str = TOO_MANY


@dataclass(frozen=True, slots=True)
class Tries:
    """What is being tried: counted before the password or the code is looked at, forgotten when it was right."""

    bucket: str
    try_ids: tuple[int, ...]


def count_log_in(email: str, *, network: str, device: str | None, now: datetime) -> Tries:
    """Count one log-in before its password is looked at. `device`: one that has logged in to this account before.

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
    """Count one try of the password by whoever is logged in on this device: nobody else can use these up."""
    return _count([Limit(f"session:{session_id}", PASSWORDS_PER_DEVICE)], now=now)


def count_code(user_id: int, *, network: str, device: str | None, now: datetime) -> Tries:
    """Count one code before it is looked at. Apart from passwords: a right password gives no more codes to try."""
    devices, everywhere = f"code devices:{user_id}", f"code everywhere:{user_id}"
    _queue_up([devices, everywhere])
    if device is not None and _count_of(devices, now=now) < TRIES_OF_KNOWN_DEVICES:
        return _count([Limit(f"code device:{device}:{user_id}", CODES_PER_DEVICE)], also=[devices], now=now)
    over = _count_of(everywhere, now=now) - CODES_BEFORE_SLOWING
    if over >= 0:
        # Over all networks: a password that is known and many networks must not make a code guessable.
        _wait_after(everywhere, min(LONGEST_CODE_WAIT, FIRST_WAIT * 2 ** min(over // 5, 10)), now=now)
    limits = [
        Limit(f"code:{user_id} network:{network}", CODES_PER_ACCOUNT_AND_NETWORK),
        Limit(f"code network:{network}", CODES_PER_NETWORK),
    ]
    return _count(limits, also=[everywhere], now=now)


def count_own_code(session_id: int, *, now: datetime) -> Tries:
    """Count one code of whoever is logged in on this device."""
    return _count([Limit(f"code session:{session_id}", CODES_PER_DEVICE)], now=now)


def count_reset(email: str, *, network: str, now: datetime) -> bool:
    """Count one mail asked for by whoever forgot a password, known to us or not. Raises TooManyTries by the network.

    False when this address has been sent enough of late, by whomever it was asked for: the links sent still work.
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
    """Count one mail that this person asks for while logged in: to any address, by no other's doing.

    Raises TooManyTries.
    """
    limits = [
        Limit(f"mail of:{user_id}", MAILS_PER_PERSON),
        Limit(f"mail network:{network}", MAILS_PER_NETWORK),
    ]
    _count(limits, now=now)


def count_sign_up(email: str, *, network: str, most_an_hour: int, now: datetime) -> None:
    """Count one account that somebody opens. Raises TooManyTries by the network, and by the host of a rare address.

    Whoever has a mail host of their own can make up any number of addresses there; at the large ones they cannot.
    """
    network_message = "Many accounts were opened from your network within the last hour. Try again in {wait}."
    host_message = "Many accounts were opened with addresses at this host within the last hour. Try again in {wait}."
    limits = [Limit(f"sign-up network:{network}", most_an_hour, LONGEST_WINDOW, network_message)]
    host = email.rpartition("@")[2]
    if not mail_hosts.is_common(host):
        limits.append(Limit(f"sign-up host:{host}", most_an_hour, LONGEST_WINDOW, host_message))
    _count(limits, now=now)


def forget(tries: Tries) -> None:
    """What was tried was right: its own count starts at none again, and others are not charged for it."""
    db.session.execute(
        delete(ThrottleHit).where((ThrottleHit.bucket == tries.bucket) | ThrottleHit.id.in_(tries.try_ids))
    )


def reset_counts(email: str, *, user_id: int) -> None:
    """Whoever holds the mailbox of this account has shown so: what was tried before counts no more."""
    account, buckets = account_bucket(email), ThrottleHit.bucket
    for mine in (f"{account} ", f"code:{user_id} "):
        db.session.execute(delete(ThrottleHit).where(buckets.startswith(mine, autoescape=True)))
    whole = (f"everywhere:{account}", f"devices:{account}", f"code everywhere:{user_id}", f"code devices:{user_id}")
    db.session.execute(delete(ThrottleHit).where(buckets.in_(whole)))


def account_bucket(email: str) -> str:
    """The account that this email names. Hashed: what people type into that field is not always an email."""
    return f"account:{hashlib.sha256(email_address.one_spelling(email).encode(errors='replace')).hexdigest()}"


def _count(limits: list[Limit], *, also: list[str] | None = None, now: datetime) -> Tries:
    buckets = [*(limit.bucket for limit in limits), *(also or [])]
    _queue_up(buckets)
    db.session.execute(delete(ThrottleHit).where(ThrottleHit.at <= now - LONGEST_WINDOW))
    for limit in limits:
        _refuse_beyond(limit, now=now)
    tries = [ThrottleHit(bucket=bucket, at=now) for bucket in buckets]
    db.session.add_all(tries)
    db.session.flush()
    return Tries(buckets[0], tuple(each.id for each in tries))


def _queue_up(buckets: list[str]) -> None:
    # Two tries at once must not both be the tenth. SQLite has one writer anyway; always in the same sequence, so that
    # no two wait for each other.
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
    """The refusal with the time that is left, in words and for machines."""
    seconds = max(1, -(-left // timedelta(seconds=1)))
    amount, unit = (seconds, "second") if seconds <= 60 else (-(-seconds // 60), "minute")
    wait = f"{amount} {unit}" if amount == 1 else f"{amount} {unit}s"
    return TooManyTries(message.format(wait=wait), retry_after_seconds=seconds)
