"""Mail outbox, mailed links, and email changes that wait for confirmation."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base
from panel.models.ledger import kind_label


class MailKind(StrEnum):
    """Kind of a mail, which is the name of its template in `templates/mails`."""

    ACCOUNT_CLOSED = "account_closed"
    ALERTS = "alerts"
    ANNOUNCEMENT = "announcement"
    CHANGE_EMAIL_NEW = "change_email_new"
    CHANGE_EMAIL_OLD = "change_email_old"
    CHANGE_EMAIL_TAKEN = "change_email_taken"
    CONFIRM_EMAIL = "confirm_email"
    DEPOSIT = "deposit"
    DEPOSIT_TAKEN_BACK = "deposit_taken_back"
    EMAIL_CHANGED_NEW = "email_changed_new"
    EMAIL_CHANGED_OLD = "email_changed_old"
    INCIDENT = "incident"
    INVITATION = "invitation"
    MOVED_IN = "moved_in"
    NEW_DEVICE = "new_device"
    ORDERS = "orders"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    REFILL = "refill"
    RESET = "reset"
    SECOND_FACTOR = "second_factor"
    SERVER_TEST = "server_test"
    TERMS = "terms"
    TICKET = "ticket"
    TICKET_FOR_US = "ticket_for_us"


class Mail(Base):
    """Mail in the outbox: queued in the transaction of its cause, retried until accepted or for 72 hours.

    `text` is encrypted if it contains a link with a token, and emptied after delivery.
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
    # Idempotency key: the same event is never queued twice.
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    email: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    is_encrypted: Mapped[bool] = mapped_column(default=False)
    # Unsubscribe path; empty if this kind can't be turned off.
    unsubscribe: Mapped[str] = mapped_column(default="")
    queued_at: Mapped[datetime]
    # Mandatory mail (0) goes before notifications (1).
    rank: Mapped[int] = mapped_column(default=0)
    # Time of the next attempt; None after it was sent or given up.
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None] = mapped_column(index=True)
    given_up_at: Mapped[datetime | None] = mapped_column(index=True)
    error: Mapped[str] = mapped_column(default="")


class LinkPurpose(StrEnum):
    RESET = "reset"
    CONFIRM = "confirm"


class EmailLink(Base):
    """A mailed single-use link. Only the hash of its token is stored."""

    __tablename__ = "mailed_links"
    __table_args__ = (CheckConstraint(f"purpose IN ({kind_label(LinkPurpose)})", name="purpose"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    purpose: Mapped[str]
    # The address it was sent to; opening the link confirms it.
    email: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    # When it was used or replaced by a newer one.
    ended_at: Mapped[datetime | None]


class ResetRequest(Base):
    """Someone typed this address into the form for forgotten passwords. The worker checks whether it is known."""

    __tablename__ = "reset_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    asked_at: Mapped[datetime]


class EmailChange(Base):
    """A pending change of an account's email, which takes effect after both mailed links were opened."""

    __tablename__ = "email_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    old_email: Mapped[str]
    new_email: Mapped[str]
    # None if no link was sent: the old address was never confirmed, or the new one has an account.
    old_token_hash: Mapped[str | None] = mapped_column(unique=True)
    new_token_hash: Mapped[str | None] = mapped_column(unique=True)
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    old_opened_at: Mapped[datetime | None]
    new_opened_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
