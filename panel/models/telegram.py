"""Telegram messages to operators."""

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
    chat: Mapped[str]
    text: Mapped[str]
    queued_at: Mapped[datetime]
    # Time of the next attempt; None after it was sent or given up.
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")
