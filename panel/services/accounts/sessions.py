"""Login sessions, one per device.

The cookie has a random token, the table its hash. Ending the row logs the device out immediately.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, literal_column, or_, select, update

from panel import app_context
from panel.db import db, table_of
from panel.db.read_only import Reader, reader
from panel.domain.accounts.roles import Role
from panel.domain.errors import AccountDisabled
from panel.models import Account, Catalogue, LoginSession, User
from panel.services.mail import security_alerts

# Key of the token in the session cookie; Flask-Login uses this name.
TOKEN_KEY = "_user_id"  # noqa: S105
# WSGI environ key under which the middleware passes on the user it has already read.
LOGGED_IN = "panel.logged_in"
READER = "panel.logged_in_reader"
LASTS = timedelta(days=30)
# Idle timeout of operators' sessions. Automatic polling doesn't count as use.
OPERATORS_IDLE = timedelta(hours=12)
USE_NOTED_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class PageVersions:
    """Versions that a user's page depends on, read before the page's own queries."""

    user_id: int
    state_version: int
    catalogue_version: int

    @property
    def as_text(self) -> str:
        """The versions alone, as the push hub compares them."""
        return f"{self.state_version}.{self.catalogue_version}"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The logged-in user and device, with the interface Flask-Login expects of a user."""

    token: str
    id: int
    email: str
    role: Role
    state_version: int
    session_id: int
    catalogue_version: int
    balance_nanos: int
    has_second_factor: bool
    has_confirmed_email: bool
    # Whether this use must be recorded to keep an operator's session alive.
    is_use_due: bool

    is_authenticated = True
    is_active = True
    is_anonymous = False

    @property
    def is_staff(self) -> bool:
        return self.role is not Role.CUSTOMER

    def get_id(self) -> str:
        return self.token

    @property
    def page_versions(self) -> PageVersions:
        return PageVersions(self.id, self.state_version, self.catalogue_version)


USERS, SESSIONS, ACCOUNTS, CATALOGUE = (table_of(model) for model in (User, LoginSession, Account, Catalogue))
IS_CUSTOMER = USERS.c.role == literal_column(f"'{Role.CUSTOMER}'")
_MOMENT = SESSIONS.c.seen_at.type


def is_login_allowed() -> ColumnElement[bool]:
    """Conditions for every logged-in request.

    The account is open and not disabled; with two-factor authentication, this session has passed it; an operator's
    session is not idle. Takes the values of `time_bounds`.
    """
    in_use = or_(IS_CUSTOMER, SESSIONS.c.seen_at > bindparam("idle_since", type_=_MOMENT))
    has_shown = or_(USERS.c.encrypted_totp == literal_column("''"), SESSIONS.c.second_factor_at.is_not(None))
    return and_(USERS.c.closed_at.is_(None), USERS.c.disabled_at.is_(None), has_shown, in_use)


def time_bounds(now: datetime) -> dict[str, datetime]:
    """Bound values for the time comparisons of FIND and PRESENT."""
    return {"since": now - LASTS, "idle_since": now - OPERATORS_IDLE, "noted_since": now - USE_NOTED_EVERY}


# Executed for every request, so it is a Core statement (a third of the ORM's cost), and it reads everything that nearly
# every page needs.
FIND = (
    select(
        USERS.c.id,
        USERS.c.email,
        USERS.c.role,
        USERS.c.state_version,
        SESSIONS.c.id,
        CATALOGUE.c.version,
        ACCOUNTS.c.balance_nanos,
        SESSIONS.c.second_factor_at.is_not(None),
        USERS.c.email_confirmed_at.is_not(None),
        and_(~IS_CUSTOMER, SESSIONS.c.seen_at <= bindparam("noted_since", type_=_MOMENT)),
    )
    .join_from(SESSIONS, USERS, USERS.c.id == SESSIONS.c.user_id)
    .join(ACCOUNTS, ACCOUNTS.c.user_id == USERS.c.id)
    .join(CATALOGUE, CATALOGUE.c.id == literal_column("1"))
    .where(
        SESSIONS.c.token_hash == bindparam("token_hash"),
        SESSIONS.c.ended_at.is_(None),
        SESSIONS.c.logged_in_at > bindparam("since", type_=_MOMENT),
        is_login_allowed(),
    )
)


def token_hash(token: str) -> str:
    """Hash of a token, as stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def find(token: str, *, now: datetime) -> LoggedIn | None:
    """The user of this token; None if the session has ended or is older than 30 days."""
    row = db.session.execute(FIND, {"token_hash": token_hash(token), **time_bounds(now)}).first()
    return None if row is None else from_row(token, tuple(row))


def find_committed(token: str, *, now: datetime) -> LoggedIn | None:
    """As `find`, in a fraction of its time, for the start of a request: it doesn't see what a transaction changes."""
    rows = committed_reader()({"token_hash": token_hash(token), **time_bounds(now)})
    if rows is None:
        return find(token, now=now)
    return from_row(token, rows[0]) if rows else None


def committed_reader() -> Reader:
    """The app's reader of `FIND`, which the middleware uses as well."""
    return app_context.once_per_app(READER, lambda: reader(db.engine, FIND))


def as_seen_by(user_id: int) -> LoggedIn | None:
    """The person with this account, for pages that staff look at in their place: without a session of theirs."""
    columns = (USERS.c.email, USERS.c.role, USERS.c.state_version, CATALOGUE.c.version, ACCOUNTS.c.balance_nanos)
    row = db.session.execute(
        select(*columns, USERS.c.email_confirmed_at.is_not(None))
        .join(ACCOUNTS, ACCOUNTS.c.user_id == USERS.c.id)
        .join(CATALOGUE, CATALOGUE.c.id == literal_column("1"))
        .where(USERS.c.id == user_id, USERS.c.role == Role.CUSTOMER, USERS.c.closed_at.is_(None))
    ).first()
    if row is None:
        return None
    email, role, state, catalogue, balance_nanos, has_confirmed_email = row
    return LoggedIn(
        "", user_id, email, Role(role), state, 0, catalogue, balance_nanos, False, bool(has_confirmed_email), False
    )


def owner_id(token: str) -> int | None:
    """The account of this session, whether it has ended or not."""
    return db.session.scalar(select(LoginSession.user_id).where(LoginSession.token_hash == token_hash(token)))


def from_row(token: str, row: tuple[Any, ...]) -> LoggedIn:
    """Build the user from a raw driver row of `FIND`; SQLite returns integers for booleans."""
    *columns, has_second_factor, has_confirmed_email, is_use_due = row
    user_id, email, role, state, session_id, catalogue, balance_nanos = columns
    facts = map(bool, (has_second_factor, has_confirmed_email, is_use_due))
    return LoggedIn(token, user_id, email, Role(role), state, session_id, catalogue, balance_nanos, *facts)


def check_not_disabled(user: User) -> None:
    """Raises AccountDisabled for a disabled account. Call it only after the password was correct."""
    if user.disabled_at is not None:
        reason = f" Reason: {user.disabled_reason.rstrip('.')}." if user.disabled_reason else ""
        settings = app_context.settings()
        address = settings.contact_email or settings.support_email
        whom = f"write to {address}" if address else "contact the operator of this panel"
        raise AccountDisabled(
            f"This account is disabled.{reason} Running orders continue, and their refunds stay on the balance. "
            f"If you think this is a mistake, {whom}."
        )


def log_in(user: User, *, device: str, network: str, has_shown_second_factor: bool = False, now: datetime) -> LoggedIn:
    """Start a session with a new token. With two-factor authentication the session must have passed it."""
    check_not_disabled(user)
    token = secrets.token_urlsafe(32)
    row = LoginSession(
        user_id=user.id,
        token_hash=token_hash(token),
        device=device,
        network=network,
        logged_in_at=now,
        seen_at=now,
        second_factor_at=now if has_shown_second_factor else None,
    )
    db.session.add(row)
    db.session.flush()
    security_alerts.new_device(user.id, session_id=row.id, device=device, network=network, now=now)
    logged_in = find(token, now=now)
    if logged_in is None:
        raise ValueError(f"user {user.id} can't be logged in this way")
    return logged_in


def note_use(session_id: int, *, now: datetime) -> None:
    """Record that the session was used now."""
    db.session.execute(
        update(LoginSession).where(LoginSession.id == session_id, LoginSession.seen_at < now).values(seen_at=now)
    )


def note_second_factor(session_id: int, *, now: datetime) -> None:
    """Record that the session passed two-factor authentication."""
    db.session.execute(update(LoginSession).where(LoginSession.id == session_id).values(second_factor_at=now))


def devices(user_id: int, *, now: datetime) -> list[LoginSession]:
    """Active sessions, newest first."""
    role = select(User.role).where(User.id == user_id).scalar_subquery()
    in_use = or_(role == Role.CUSTOMER, LoginSession.seen_at > now - OPERATORS_IDLE)
    return list(
        db.session.scalars(
            select(LoginSession)
            .where(
                LoginSession.user_id == user_id,
                LoginSession.ended_at.is_(None),
                LoginSession.logged_in_at > now - LASTS,
                in_use,
            )
            .order_by(LoginSession.id.desc())
        )
    )


def end_session(session_id: int, *, user_id: int, now: datetime) -> bool:
    """End one of this user's sessions. False if there is no such session."""
    ended = db.session.execute(
        update(LoginSession)
        .where(LoginSession.id == session_id, LoginSession.user_id == user_id, LoginSession.ended_at.is_(None))
        .values(ended_at=now)
        .returning(LoginSession.id)
    )
    return ended.first() is not None


def end_others(user_id: int, *, keep: int, now: datetime) -> None:
    """End all sessions of this user except one."""
    db.session.execute(
        update(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.id != keep, LoginSession.ended_at.is_(None))
        .values(ended_at=now)
    )


def end_all(user_id: int, *, now: datetime) -> None:
    """End all sessions of this user."""
    db.session.execute(
        update(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None))
        .values(ended_at=now)
    )


def end_everyones(*, now: datetime) -> None:
    """End all sessions of all users."""
    db.session.execute(update(LoginSession).where(LoginSession.ended_at.is_(None)).values(ended_at=now))
