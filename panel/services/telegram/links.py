"""Telegram chats of accounts: linked by a one-time code that the chat itself sends to the site's bot.

Customers link a private chat. The staff may also link a group, for alerts that several people read.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from panel.db import db, execute_write, lock_rows, table_of, upsert
from panel.models import TelegramLink, User
from panel.services import customer_version
from panel.services.telegram import outbox

LASTS = timedelta(minutes=30)
LINKS = table_of(TelegramLink)
LINKED_TEXT = "This chat is linked. Notifications about your account arrive here from now on."
_START = re.compile(r"/start(?:@\w+)? ([A-Za-z0-9_-]{22})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ChatState:
    """Whether a chat is linked, and since when it refuses messages."""

    is_linked: bool
    blocked_at: datetime | None


def state_of(user_id: int) -> ChatState:
    chat, blocked_at = db.session.execute(
        select(User.telegram_chat, User.telegram_blocked_at).where(User.id == user_id)
    ).one()
    return ChatState(bool(chat), blocked_at)


def begin(user_id: int, *, now: datetime) -> str:
    """A new one-time code for linking a chat; an earlier one stops working."""
    code = secrets.token_urlsafe(16)
    values = {"code_hash": _hash(code), "expires_at": now + LASTS}
    statement = upsert(LINKS).values(user_id=user_id, **values)
    execute_write(statement.on_conflict_do_update(index_elements=[LINKS.c.user_id], set_=values))
    return code


def is_any_pending(*, now: datetime) -> bool:
    return db.session.scalar(select(TelegramLink.user_id).where(TelegramLink.expires_at > now).limit(1)) is not None


def link_chat(text: str, chat: int, *, is_private: bool = True, now: datetime) -> bool:
    """Link this chat if the message is `/start` with a current code; the code works once.

    A group has many readers, so only the staff's codes link one.
    """
    match = _START.fullmatch(text.strip())
    if match is None:
        return False
    wanted = lock_rows(select(TelegramLink).where(TelegramLink.code_hash == _hash(match[1])))
    found: TelegramLink | None = db.session.scalar(wanted.execution_options(populate_existing=True))
    if found is None or found.expires_at <= now:
        return False
    user_id = found.user_id
    if not is_private and not db.session.scalars(select(User.is_staff).where(User.id == user_id)).one():
        return False
    db.session.delete(found)
    db.session.flush()
    is_active = (User.id == user_id, User.closed_at.is_(None), User.disabled_at.is_(None))
    if db.session.scalar(select(User.id).where(*is_active)) is None:
        return False
    _set(user_id, str(chat))
    outbox.queue(user_id, LINKED_TEXT, now=now)
    return True


def end(user_id: int) -> None:
    """Unlink the chat; what waits to be sent there is given up."""
    db.session.execute(delete(TelegramLink).where(TelegramLink.user_id == user_id))
    _set(user_id, "")


def purge(*, now: datetime) -> int:
    """Delete codes that have expired; returns how many."""
    return execute_write(delete(TelegramLink).where(TelegramLink.expires_at <= now))


def _set(user_id: int, chat: str) -> None:
    execute_write(update(User).where(User.id == user_id).values(telegram_chat=chat, telegram_blocked_at=None))
    customer_version.bump([user_id])


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
