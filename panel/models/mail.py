"""Mail outbox, mailed links, and email changes that wait for confirmation."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base
from panel.models.ledger import kind_label


class Mail(Base):
    """One mail: queued in the transaction in which its cause happened, tried until it is taken or 72 hours passed.

    `text` is sealed where it holds a link that acts for whoever opens it, and emptied once such a mail is done.
    """

    __tablename__ = "mails"
    __table_args__ = (
        Index(
            "ix_mails_due",
            "rank",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # What it tells of: the same thing is never queued twice.
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    email: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    is_sealed: Mapped[bool] = mapped_column(default=False)
    # The path that ends mails of this kind; empty where they cannot be switched off.
    unsubscribe: Mapped[str] = mapped_column(default="")
    queued_at: Mapped[datetime]
    # What cannot be switched off (0) goes before notices (1).
    rank: Mapped[int] = mapped_column(default=0)
    # When it is tried next; None once it was sent or given up.
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None] = mapped_column(index=True)
    given_up_at: Mapped[datetime | None] = mapped_column(index=True)
    error: Mapped[str] = mapped_column(default="")


class LinkPurpose(StrEnum):
    RESET = "reset"
    CONFIRM = "confirm"


class EmailLink(Base):
    """A link that was mailed, for one use. The mail held the token, we hold its hash."""

    __tablename__ = "mailed_links"
    __table_args__ = (CheckConstraint(f"purpose IN ({kind_label(LinkPurpose)})", name="purpose"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    purpose: Mapped[str]
    # The address it was sent to, which opening it proves.
    email: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    # When it was used, or a newer one took its place.
    ended_at: Mapped[datetime | None]


class ResetRequest(Base):
    """Someone typed this address where a forgotten password is said. The worker looks whether it is known."""

    __tablename__ = "reset_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    asked_at: Mapped[datetime]


class EmailChange(Base):
    """A change of an account's email, which takes effect when the links in both mailboxes were opened."""

    __tablename__ = "email_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    old_email: Mapped[str]
    new_email: Mapped[str]
    # None where no link was sent: to an old address nobody ever confirmed, or to a new one that has an account.
    old_token_hash: Mapped[str | None] = mapped_column(unique=True)
    new_token_hash: Mapped[str | None] = mapped_column(unique=True)
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    old_opened_at: Mapped[datetime | None]
    new_opened_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
