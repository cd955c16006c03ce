"""Telegram outbox: messages are queued in the transaction of their cause and sent by a job through the Bot API.

A message is retried until Telegram accepts it or for a day; a chat that the bot can't write to is given up right away.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from panel.db import db, execute_write, lock_rows, table_of, upsert
from panel.domain import plain_text
from panel.models import TelegramMessage, User
from panel.services import customer_version

MESSAGES = table_of(TelegramMessage)
NOT_LINKED = "The chat is not linked any more."
# The Bot API's own limit of a message.
MAX_TEXT_LENGTH = 4_096
MAX_ERROR_LENGTH = 200
KEPT_TRYING_FOR = timedelta(days=1)
KEPT_FOR = timedelta(days=30)
WAITS = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1_800))


@dataclass(frozen=True, slots=True)
class LeasedMessage:
    """A message that this worker sends now."""

    id: int
    chat: str
    text: str
    lease_until: datetime


def queue(user_id: int, text: str, *, key: str | None = None, now: datetime) -> bool:
    """Queue a message to this person's chat, if there is one. False if not, or if one with this key exists."""
    has_chat = (User.id == user_id, User.telegram_chat != "", User.telegram_blocked_at.is_(None))
    chat = db.session.scalar(select(User.telegram_chat).where(*has_chat))
    if chat is None:
        return False
    row = {
        "user_id": user_id,
        "key": key,
        "chat": chat,
        "text": plain_text.lines(text)[:MAX_TEXT_LENGTH],
        "queued_at": now,
        "due_at": now,
        "tries": 0,
        "error": "",
    }
    unless_known = upsert(MESSAGES).values(row).on_conflict_do_nothing(index_elements=[MESSAGES.c.key])
    return db.session.scalar(unless_known.returning(MESSAGES.c.id)) is not None


def is_any_due(*, now: datetime) -> bool:
    due = select(TelegramMessage.id).where(TelegramMessage.due_at.is_not(None), TelegramMessage.due_at <= now)
    return db.session.scalar(due.limit(1)) is not None


def lease(*, lease_seconds: float, now: datetime) -> LeasedMessage | None:
    """Lease one due message, so that no other worker sends it; None if there is none.

    A message to a chat that isn't its owner's any more is given up: it would tell somebody else about the orders.
    """
    due = select(TelegramMessage).where(TelegramMessage.due_at.is_not(None), TelegramMessage.due_at <= now)
    first = due.order_by(TelegramMessage.due_at, TelegramMessage.id).limit(1)
    while True:
        found: TelegramMessage | None = db.session.scalar(lock_rows(first, skip_locked=True))
        if found is None:
            return None
        mine = (User.id == found.user_id, User.telegram_chat == found.chat, User.telegram_blocked_at.is_(None))
        if db.session.scalar(select(User.id).where(*mine)) is not None:
            break
        found.due_at, found.error = None, NOT_LINKED
        db.session.flush()
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


def note_blocked(message: LeasedMessage, *, now: datetime) -> None:
    """Record that this chat refuses messages of the bot: nothing is sent there until it is linked again."""
    found = db.session.get_one(TelegramMessage, message.id)
    mine = (User.id == found.user_id, User.telegram_chat == message.chat)
    execute_write(update(User).where(*mine).values(telegram_blocked_at=now))
    customer_version.bump([found.user_id])


def delete_messages_of(user_id: int) -> None:
    """Delete all messages to this person, when the account is closed."""
    db.session.execute(delete(TelegramMessage).where(TelegramMessage.user_id == user_id))


def purge(*, now: datetime) -> int:
    """Delete messages that were finished 30 days ago; returns how many."""
    is_old = (TelegramMessage.due_at.is_(None), TelegramMessage.queued_at < now - KEPT_FOR)
    return execute_write(delete(TelegramMessage).where(*is_old))
