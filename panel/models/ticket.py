"""Support tickets, their entries, and canned answers."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base
from panel.domain.ticket import EntryKind, TicketKind, TicketState
from panel.models.ledger import kind_label


class Ticket(Base):
    """A ticket, optionally about an order, a refill or a statement line; `version` counts its entries."""

    __tablename__ = "tickets"
    __table_args__ = (
        UniqueConstraint("customer_id", "request_id"),
        CheckConstraint(f"kind IN ({kind_label(TicketKind)})", name="kind"),
        CheckConstraint(f"state IN ({kind_label(TicketState)})", name="state"),
        Index("ix_tickets_of_customer", "customer_id", "last_at", "id"),
        Index("ix_tickets_of_order", "order_id"),
        Index(
            "ix_tickets_queue",
            "state",
            "waits_since",
            "id",
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
        Index(
            "ix_tickets_closed",
            "waits_since",
            "id",
            sqlite_where=text("state = 'closed'"),
            postgresql_where=text("state = 'closed'"),
        ),
        Index("ix_tickets_first_answer", "first_answer_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    request_id: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    refill_id: Mapped[int | None] = mapped_column(ForeignKey("refills.id"))
    transfer_id: Mapped[int | None] = mapped_column(ForeignKey("transfers.id"))
    state: Mapped[str]
    # Since when it waits for an answer; a second message of the same side doesn't change it.
    waits_since: Mapped[datetime]
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    version: Mapped[int]
    opened_at: Mapped[datetime]
    first_answer_at: Mapped[datetime | None]
    # Time of the last entry that the customer can see.
    last_at: Mapped[datetime]


class TicketEntry(Base):
    """A ticket entry: a message, an internal note, or a change of state."""

    __tablename__ = "ticket_entries"
    __table_args__ = (
        UniqueConstraint("ticket_id", "number"),
        UniqueConstraint("ticket_id", "request_id"),
        CheckConstraint(f"kind IN ({kind_label(EntryKind)})", name="kind"),
        Index("ix_ticket_entries_of_author", "author_id", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    number: Mapped[int]
    kind: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    is_ours: Mapped[bool]
    text: Mapped[str] = mapped_column(default="")
    # Idempotency key of the form.
    request_id: Mapped[str | None]
    at: Mapped[datetime]


class TicketImage(Base):
    """An image attached to a message, as we encoded it, with a thumbnail."""

    __tablename__ = "ticket_images"
    __table_args__ = (
        UniqueConstraint("entry_id", "number"),
        CheckConstraint("media_type IN ('image/png', 'image/jpeg')", name="media_type"),
        CheckConstraint("thumbnail_type IN ('image/png', 'image/jpeg')", name="thumbnail_type"),
        Index("ix_ticket_images_of_ticket", "ticket_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    entry_id: Mapped[int] = mapped_column(ForeignKey("ticket_entries.id"))
    # Its place in the message, from 1.
    number: Mapped[int]
    media_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    # SHA-256 of the content.
    digest: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    thumbnail_type: Mapped[str]
    thumbnail_width: Mapped[int]
    thumbnail_height: Mapped[int]
    thumbnail: Mapped[bytes] = mapped_column(LargeBinary)


class CannedAnswer(Base):
    """A canned answer. `version` counts its edits."""

    __tablename__ = "canned_answers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    text: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    changed_at: Mapped[datetime]


# Literals, as in the partial indexes: with bound parameters SQLite would not use these indexes.
IS_NOT_CLOSED = Ticket.state != literal_column("'closed'")
IS_CLOSED = Ticket.state == literal_column("'closed'")
