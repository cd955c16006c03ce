"""Pending sessions: the password was correct, the two-factor code is still needed.

It is no session: it opens nothing, lasts ten minutes, and ends when the code is right or the password changes.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from panel.db import db
from panel.models import PendingSession, User
from panel.services.accounts.sessions import check_not_disabled, token_hash

LASTS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class HalfSignedIn:
    """Whose password was right, and the token of the browser that showed it."""

    token: str
    half_id: int
    user_id: int
    email: str


def begin(user: User, *, now: datetime) -> HalfSignedIn:
    """Keep that this person's password was right. Those that were never finished are forgotten on the way.

    Raises AccountDisabled.
    """
    check_not_disabled(user)
    db.session.execute(delete(PendingSession).where(PendingSession.at <= now - LASTS))
    token = secrets.token_urlsafe(32)
    row = PendingSession(user_id=user.id, token_hash=token_hash(token), at=now)
    db.session.add(row)
    db.session.flush()
    return HalfSignedIn(token, row.id, user.id, user.email)


def find(token: str, *, now: datetime) -> HalfSignedIn | None:
    """The pending session with this token, valid for ten minutes after the password."""
    row = db.session.execute(
        select(PendingSession.id, User.id, User.email)
        .join(User, User.id == PendingSession.user_id)
        .where(
            PendingSession.token_hash == token_hash(token), PendingSession.at > now - LASTS, User.closed_at.is_(None)
        )
    ).first()
    return None if row is None else HalfSignedIn(token, *row)


def finish(half_id: int) -> bool:
    """Use it up. False when that was done before, or when the password has changed meanwhile."""
    ended = db.session.execute(delete(PendingSession).where(PendingSession.id == half_id).returning(PendingSession.id))
    return ended.first() is not None


def end_all(user_id: int) -> None:
    """End all pending sessions of this user."""
    db.session.execute(delete(PendingSession).where(PendingSession.user_id == user_id))
