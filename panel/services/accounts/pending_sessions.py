"""Pending sessions: the password was correct, the two-factor code is still needed.

A pending session gives no access, lasts ten minutes, and ends with the right code or a password change.
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
class PendingLogIn:
    """A log-in that waits for its code: the user, and the browser's token."""

    token: str
    pending_id: int
    user_id: int
    email: str


def begin(user: User, *, now: datetime) -> PendingLogIn:
    """Start a pending session, and delete expired ones.

    Raises AccountDisabled.
    """
    check_not_disabled(user)
    db.session.execute(delete(PendingSession).where(PendingSession.at <= now - LASTS))
    token = secrets.token_urlsafe(32)
    row = PendingSession(user_id=user.id, token_hash=token_hash(token), at=now)
    db.session.add(row)
    db.session.flush()
    return PendingLogIn(token, row.id, user.id, user.email)


def find(token: str, *, now: datetime) -> PendingLogIn | None:
    """The pending session with this token, valid for ten minutes after the password."""
    row = db.session.execute(
        select(PendingSession.id, User.id, User.email)
        .join(User, User.id == PendingSession.user_id)
        .where(
            PendingSession.token_hash == token_hash(token), PendingSession.at > now - LASTS, User.closed_at.is_(None)
        )
    ).first()
    return None if row is None else PendingLogIn(token, *row)


def finish(pending_id: int) -> bool:
    """Consume the pending session. False if it was used or the password has changed in the meantime."""
    ended = db.session.execute(
        delete(PendingSession).where(PendingSession.id == pending_id).returning(PendingSession.id)
    )
    return ended.first() is not None


def end_all(user_id: int) -> None:
    """End all pending sessions of this user."""
    db.session.execute(delete(PendingSession).where(PendingSession.user_id == user_id))
