"""Signed-in devices, and how often one may try.

The cookie holds a random token, the table its hash. Ending a row here signs the device out at once.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, literal_column, select, update

from panel.db import db, table_of
from panel.domain.errors import TooManyTries
from panel.models import Account, Catalogue, FailedTry, SignIn, User

# Where the session cookie keeps the token. Flask-Login reads and writes it under this name.
TOKEN_KEY = "_user_id"  # noqa: S105
LASTS = timedelta(days=30)

TRIES_WINDOW = timedelta(minutes=15)
TRIES_PER_ACCOUNT = 10
TRIES_PER_NETWORK = 50


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks, on which device: all that a request needs to know, and what Flask-Login asks of a user."""

    token: str
    id: int
    email: str
    is_operator: bool
    state_version: int
    sign_in_id: int
    catalogue_version: int
    balance_nanos: int
    has_second_factor: bool

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        return self.token


@dataclass(frozen=True, slots=True)
class Tries:
    """The log-in that is being tried: counted before the password is looked at, forgotten when right."""

    account: str | None
    network_try_id: int


USERS, SIGN_INS, ACCOUNTS, CATALOGUE = (table_of(model) for model in (User, SignIn, Account, Catalogue))

# Asked by every request: a statement of Core, which costs a third of one of the ORM, and one statement for what
# nearly every page shows or depends on.
_find = (
    select(
        USERS.c.id,
        USERS.c.email,
        USERS.c.is_operator,
        USERS.c.state_version,
        SIGN_INS.c.id,
        CATALOGUE.c.version,
        ACCOUNTS.c.balance_nanos,
        SIGN_INS.c.second_factor_at.is_not(None),
    )
    .join_from(SIGN_INS, USERS, USERS.c.id == SIGN_INS.c.user_id)
    .join(ACCOUNTS, ACCOUNTS.c.user_id == USERS.c.id)
    .join(CATALOGUE, CATALOGUE.c.id == literal_column("1"))
    .where(
        SIGN_INS.c.token_hash == bindparam("token_hash"),
        SIGN_INS.c.ended_at.is_(None),
        SIGN_INS.c.signed_in_at > bindparam("since", type_=SIGN_INS.c.signed_in_at.type),
    )
)


def token_hash(token: str) -> str:
    """What the table keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def find(token: str, *, now: datetime) -> SignedIn | None:
    """Who holds this token, unless that device was signed out or signed in more than 30 days ago."""
    row = db.session.execute(_find, {"token_hash": token_hash(token), "since": now - LASTS}).first()
    return None if row is None else SignedIn(token, *row)


def sign_in(user: User, *, device: str, network: str, now: datetime) -> SignedIn:
    """Sign a device in with a fresh token."""
    token = secrets.token_urlsafe(32)
    row = SignIn(
        user_id=user.id,
        token_hash=token_hash(token),
        device=device,
        network=network,
        signed_in_at=now,
        seen_at=now,
    )
    db.session.add(row)
    db.session.flush()
    signed_in = find(token, now=now)
    if signed_in is None:
        raise ValueError(f"user {user.id} has no account to sign in to")
    return signed_in


def note_second_factor(sign_in_id: int, *, now: datetime) -> None:
    """This device has shown the second factor of its account."""
    db.session.execute(update(SignIn).where(SignIn.id == sign_in_id).values(second_factor_at=now))


def devices(user_id: int, *, now: datetime) -> list[SignIn]:
    """The devices that are signed in, the newest first."""
    return list(
        db.session.scalars(
            select(SignIn)
            .where(SignIn.user_id == user_id, SignIn.ended_at.is_(None), SignIn.signed_in_at > now - LASTS)
            .order_by(SignIn.id.desc())
        )
    )


def end(sign_in_id: int, *, user_id: int, now: datetime) -> bool:
    """Sign one of this person's devices out. False when there is none such."""
    ended = db.session.execute(
        update(SignIn)
        .where(SignIn.id == sign_in_id, SignIn.user_id == user_id, SignIn.ended_at.is_(None))
        .values(ended_at=now)
        .returning(SignIn.id)
    )
    return ended.first() is not None


def end_others(user_id: int, *, keep: int, now: datetime) -> None:
    """Sign out every device of this person but one."""
    db.session.execute(
        update(SignIn)
        .where(SignIn.user_id == user_id, SignIn.id != keep, SignIn.ended_at.is_(None))
        .values(ended_at=now)
    )


def count_try(email: str | None, *, network: str, now: datetime) -> Tries:
    """Count one try before its password is looked at. Raises TooManyTries when there were too many of late.

    Without an email (at sign-up, where there is no account yet) the network alone is charged.
    """
    db.session.execute(delete(FailedTry).where(FailedTry.at <= now - TRIES_WINDOW))
    limits = [(f"network:{network}", TRIES_PER_NETWORK)]
    if email is not None:
        limits.insert(0, (_account_bucket(email), TRIES_PER_ACCOUNT))
    for bucket, most in limits:
        _queue_up(bucket)
        _refuse_beyond(bucket, most=most, now=now)
    tries = [FailedTry(bucket=bucket, at=now) for bucket, _ in limits]
    db.session.add_all(tries)
    db.session.flush()
    return Tries(account=limits[0][0] if email is not None else None, network_try_id=tries[-1].id)


def forget_tries(tries: Tries) -> None:
    """The password was right: the account starts at none again, and the network is not charged for it."""
    db.session.execute(
        delete(FailedTry).where((FailedTry.bucket == tries.account) | (FailedTry.id == tries.network_try_id))
    )


def _account_bucket(email: str) -> str:
    # Hashed: what people type into this field is not always an email.
    return f"account:{hashlib.sha256(email.strip().lower().encode()).hexdigest()}"


def _queue_up(bucket: str) -> None:
    # Two tries at once must not both be the tenth. SQLite has one writer anyway.
    if db.engine.dialect.name == "postgresql":
        db.session.execute(select(func.pg_advisory_xact_lock(func.hashtext(bucket))))


def _refuse_beyond(bucket: str, *, most: int, now: datetime) -> None:
    tries, oldest = db.session.execute(
        select(func.count(), func.min(FailedTry.at)).where(FailedTry.bucket == bucket)
    ).one()
    if tries < most:
        return
    left = oldest + TRIES_WINDOW - now
    seconds = max(1, -(-left // timedelta(seconds=1)))
    minutes = -(-seconds // 60)
    wait = "1 minute" if minutes == 1 else f"{minutes} minutes"
    raise TooManyTries(f"There were too many tries. Try again in {wait}.", retry_after_seconds=seconds)
