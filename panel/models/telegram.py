"""Telegram: messages, codes that link a chat, and the bot."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base


class TelegramMessage(Base):
    """A message in the outbox: queued in the transaction of its cause, retried until accepted or for a day."""

    __tablename__ = "telegram_messages"
    __table_args__ = (
        Index(
            "ix_telegram_messages_due",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    # Idempotency key: the same event is never queued twice.
    key: Mapped[str | None] = mapped_column(unique=True)
    chat: Mapped[str]
    text: Mapped[str]
    queued_at: Mapped[datetime]
    # Time of the next attempt; None after it was sent or given up.
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")


class TelegramLink(Base):
    """A one-time code that links the chat which sends it to the bot; one a person."""

    __tablename__ = "telegram_links"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, autoincrement=False)
    code_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]


class TelegramBot(Base):
    """A single row: the bot of the token that is in use, and the number of its first update that was not read."""

    __tablename__ = "telegram_bot"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str]
    # Empty until Telegram has named it.
    username: Mapped[str]
    next_update: Mapped[int]
    # After a failed call: when the next one may be made.
    call_after: Mapped[datetime | None]
