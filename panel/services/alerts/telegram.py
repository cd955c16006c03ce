"""Telegram outbox: alerts are queued in the transaction of their cause and sent by a job through the Bot API.

A message is retried until Telegram accepts it or for a day; a chat that the bot can't write to is given up right away.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from panel.db import db, execute_write, lock_rows
from panel.domain import plain_text
from panel.domain.errors import BadInput
from panel.models import TelegramMessage, User

FIELD = "telegram_chat"
# The Bot API's own limit of a message.
MAX_TEXT_LENGTH = 4_096
MAX_ERROR_LENGTH = 200
KEPT_TRYING_FOR = timedelta(days=1)
KEPT_FOR = timedelta(days=30)
WAITS = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1_800))
# Groups have negative numbers.
_CHAT = re.compile(r"(-?[1-9][0-9]{0,19})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class LeasedMessage:
    """A message that this worker sends now."""

    id: int
    chat: str
    text: str
    lease_until: datetime


def chat_of(user_id: int) -> str:
    """The operator's chat; empty without one."""
    return db.session.scalars(select(User.telegram_chat).where(User.id == user_id)).one()


def choose_chat(user_id: int, chat: str) -> None:
    """Set the operator's chat by its number; an empty text ends it. Raises BadInput."""
    chat = chat.strip()
    if not _CHAT.fullmatch(chat):
        raise BadInput("Enter the chat’s number, such as 123456789.", field=FIELD)
    execute_write(update(User).where(User.id == user_id).values(telegram_chat=chat))


def queue(user_id: int, text: str, *, now: datetime) -> None:
    """Queue a message to the operator's chat, if there is one."""
    chat = chat_of(user_id)
    if chat:
        shown = plain_text.lines(text)[:MAX_TEXT_LENGTH]
        db.session.add(TelegramMessage(user_id=user_id, chat=chat, text=shown, queued_at=now, due_at=now))
        db.session.flush()


def is_any_due(*, now: datetime) -> bool:
    due = select(TelegramMessage.id).where(TelegramMessage.due_at.is_not(None), TelegramMessage.due_at <= now)
    return db.session.scalar(due.limit(1)) is not None


def lease(*, lease_seconds: float, now: datetime) -> LeasedMessage | None:
    """Lease one due message, so that no other worker sends it; None if there is none."""
    due = select(TelegramMessage).where(TelegramMessage.due_at.is_not(None), TelegramMessage.due_at <= now)
    first = due.order_by(TelegramMessage.due_at, TelegramMessage.id).limit(1)
    found: TelegramMessage | None = db.session.scalar(lock_rows(first, skip_locked=True))
    if found is None:
        return None
    found.due_at = until = now + timedelta(seconds=lease_seconds)
    found.tries += 1
    db.session.flush()
    return LeasedMessage(found.id, found.chat, found.text, until)


def note_sent(message: LeasedMessage, *, now: datetime) -> None:
    mine = update(TelegramMessage).where(TelegramMessage.id == message.id, TelegramMessage.sent_at.is_(None))
    execute_write(mine.values(sent_at=now, due_at=None, error=""))


def note_failure(
    message: LeasedMessage, *, error: str, is_final: bool = False, wait: timedelta | None = None, now: datetime
) -> None:
    """Record a failure: try again after `wait` or our own back-off, or give up."""
    found = db.session.get_one(TelegramMessage, message.id)
    if found.sent_at is not None or found.due_at != message.lease_until:
        return
    found.error = plain_text.one_line(error, most=MAX_ERROR_LENGTH)
    is_over = is_final or now - found.queued_at >= KEPT_TRYING_FOR
    found.due_at = None if is_over else now + (wait or WAITS[min(found.tries, len(WAITS)) - 1])
    db.session.flush()


def purge(*, now: datetime) -> int:
    """Delete messages that were finished 30 days ago; returns how many."""
    is_old = (TelegramMessage.due_at.is_(None), TelegramMessage.queued_at < now - KEPT_FOR)
    return execute_write(delete(TelegramMessage).where(*is_old))
