"""Security alert mails. They can't be turned off and go to confirmed addresses only.

An unconfirmed address may be a stranger's, so it gets requested links and nothing else.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from panel.db import db
from panel.models import LoginSession, MailKind, User
from panel.services.mail import outbox
from panel.services.mail import templates as mail_templates


def password_changed(user_id: int, *, now: datetime) -> None:
    """The password was changed."""
    _queue_for(
        _person(user_id), MailKind.PASSWORD_CHANGED, key=f"password:{user_id}:{now.isoformat()}", now=now, at=now
    )


def new_device(user_id: int, *, session_id: int, device: str, network: str, now: datetime) -> None:
    """A log-in on a device or network that is new to this account.

    Not sent for the first device, where the account was created.
    """
    others = select(LoginSession.id).where(LoginSession.user_id == user_id, LoginSession.id != session_id)
    alike = others.where(LoginSession.device == device, LoginSession.network == network)
    known, same = db.session.execute(
        select(select(func.count()).select_from(others.limit(1).subquery()).scalar_subquery(), alike.exists())
    ).one()
    if known and not same:
        facts = {"device": device, "network": network, "at": now}
        _queue_for(_person(user_id), MailKind.NEW_DEVICE, key=f"device:{session_id}", now=now, **facts)


def email_changed(user_id: int, *, change_id: int, old_email: str | None, new_email: str, now: datetime) -> None:
    """The email was changed: sent to both addresses. `old_email` is None if it was never confirmed."""
    facts = {"old_email": old_email or "", "new_email": new_email, "at": now}
    if old_email is not None:
        key = f"email-change:{change_id}:done:old"
        _queue(old_email, user_id, MailKind.EMAIL_CHANGED_OLD, key=key, now=now, **facts)
    key = f"email-change:{change_id}:done:new"
    _queue(new_email, user_id, MailKind.EMAIL_CHANGED_NEW, key=key, now=now, **facts)


def second_factor_changed(user_id: int, happened: str, *, now: datetime) -> None:
    """Two-factor settings were changed; `happened` describes the change in one clause."""
    key = f"second factor:{user_id}:{now.isoformat()}"
    _queue_for(_person(user_id), MailKind.SECOND_FACTOR, key=key, now=now, happened=happened, at=now)


def _person(user_id: int) -> User:
    return db.session.get_one(User, user_id)


def _queue_for(user: User, kind: MailKind, *, key: str, now: datetime, **facts: Any) -> None:
    if user.email_confirmed_at is not None and user.closed_at is None:
        _queue(user.email, user.id, kind, key=key, now=now, **facts)


def _queue(email: str, user_id: int, kind: MailKind, *, key: str, now: datetime, **facts: Any) -> None:
    outbox.queue(email, mail_templates.write(kind, **facts), user_id=user_id, key=key, now=now)
