"""Orders, their events, and order counts per status."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import APPEND_ONLY, SUMS_DAYS, Base
from panel.domain.status import Status
from panel.models.ledger import kind_label


class Order(Base):
    """One order. Only `services/transitions` writes status, counts and money; `version` counts its writes."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("customer_id", "request_id"),
        UniqueConstraint("provider_id", "provider_order_id"),
        CheckConstraint(f"status IN ({kind_label(Status)})", name="status"),
        CheckConstraint("quantity > 0 AND remains >= 0 AND remains <= quantity", name="counts"),
        CheckConstraint("charge_nanos = quantity * price_micros_per_thousand AND charge_nanos > 0", name="charge"),
        CheckConstraint(
            "kept_nanos >= 0 AND returned_nanos >= 0 AND kept_nanos + returned_nanos <= charge_nanos",
            name="settled",
        ),
        Index("ix_orders_history", "customer_id", "id"),
        Index("ix_orders_by_status", "customer_id", "status", "id"),
        Index("ix_orders_by_tool", "customer_id", "tool_id", "id"),
        Index("ix_orders_by_day", "customer_id", "placed_at"),
        Index("ix_orders_by_provider", "provider_id", "id"),
        Index("ix_orders_placed", "placed_at"),
        Index("ix_orders_by_tool_and_status", "customer_id", "tool_id", "status", "id"),
        Index(
            "ix_orders_not_completed",
            "status",
            "id",
            sqlite_where=text("status <> 'completed'"),
            postgresql_where=text("status <> 'completed'"),
        ),
        Index(
            "ix_orders_provider_number",
            "provider_id",
            "provider_order_id",
            sqlite_where=text("provider_order_id IS NOT NULL"),
            postgresql_where=text("provider_order_id IS NOT NULL"),
        ),
        Index(
            "ix_orders_dispatch",
            "provider_id",
            "dispatch_at",
            sqlite_where=text("dispatch_at IS NOT NULL"),
            postgresql_where=text("dispatch_at IS NOT NULL"),
        ),
        Index(
            "ix_orders_turns",
            "provider_id",
            "customer_id",
            "dispatch_at",
            "id",
            sqlite_where=text("dispatch_at IS NOT NULL"),
            postgresql_where=text("dispatch_at IS NOT NULL"),
        ),
        Index(
            "ix_orders_recheck",
            "provider_id",
            "recheck_at",
            sqlite_where=text("recheck_at IS NOT NULL"),
            postgresql_where=text("recheck_at IS NOT NULL"),
        ),
        Index(
            "ix_orders_sync",
            "provider_id",
            "sync_at",
            sqlite_where=text("sync_at IS NOT NULL"),
            postgresql_where=text("sync_at IS NOT NULL"),
        ),
        Index(
            "ix_orders_notice",
            "customer_id",
            sqlite_where=text("notice_at IS NOT NULL"),
            postgresql_where=text("notice_at IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True, "info": {SUMS_DAYS: ("profit_insert", "profit_update")}},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    tool_id: Mapped[int] = mapped_column(ForeignKey("tools.id"))
    terms_id: Mapped[int] = mapped_column(ForeignKey("terms.id"))
    link: Mapped[str]
    quantity: Mapped[int]
    price_micros_per_thousand: Mapped[int]
    charge_nanos: Mapped[int]
    request_id: Mapped[str]
    placed_at: Mapped[datetime]

    status: Mapped[str]
    remains: Mapped[int]
    start_count: Mapped[int | None]
    kept_nanos: Mapped[int] = mapped_column(default=0)
    returned_nanos: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    provider_id: Mapped[int] = mapped_column(ForeignKey("providers.id"))
    provider_service: Mapped[str]
    provider_order_id: Mapped[str | None]
    # When a sweep next sends the order or requests its status; None: not due.
    dispatch_at: Mapped[datetime | None]
    sync_at: Mapped[datetime | None]
    # When the provider is next asked about the ended order, to find late contradictions.
    recheck_at: Mapped[datetime | None]
    # Since when it is unknown whether the provider has the order ("unconfirmed").
    unconfirmed_at: Mapped[datetime | None]
    # Since when a mail about its final status is pending; None: no mail.
    notice_at: Mapped[datetime | None]
    # The hash of the order's newest event.
    chain_hash: Mapped[str] = mapped_column(default="", server_default="")
    # Whether it is one package: counts are then the provider's own and move no money.
    is_package: Mapped[bool] = mapped_column(default=False, server_default=false())


# A literal, as in the partial index: with a bound parameter SQLite would not use it.
IS_NOT_COMPLETED = Order.status != literal_column("'completed'")


class OrderField(Base):
    """Value of one field of an order's form, such as its comments; blanked when the account is closed."""

    __tablename__ = "order_fields"
    __table_args__ = (UniqueConstraint("order_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    name: Mapped[str]
    value: Mapped[str]


class OrderRun(Base):
    """One run of a drip-feed order: a part of its quantity, sent to the provider at its time as an order of its own.

    Runs that had not been sent when the order ended are Canceled without a time of sending.
    """

    __tablename__ = "order_runs"
    __table_args__ = (
        UniqueConstraint("order_id", "number"),
        UniqueConstraint("provider_id", "provider_order_id"),
        CheckConstraint(f"status IN ({kind_label(Status)})", name="status"),
        CheckConstraint("number > 0 AND quantity > 0 AND remains >= 0 AND remains <= quantity", name="counts"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    number: Mapped[int]
    quantity: Mapped[int]
    due_at: Mapped[datetime]
    status: Mapped[str]
    remains: Mapped[int]
    start_count: Mapped[int | None]
    provider_id: Mapped[int] = mapped_column(ForeignKey("providers.id"))
    provider_order_id: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @property
    def shown_status(self) -> Status:
        return Status(self.status)


class EventKind(StrEnum):
    """Order event's kind: placed, status changed, count changed, or a note that changes neither."""

    PLACED = "placed"
    MOVED = "moved"
    COUNTED = "counted"
    NOTED = "noted"


class EventSource(StrEnum):
    """Who caused an order event: the customer, the provider or this panel."""

    YOU = "you"
    PROVIDER = "provider"
    US = "us"

    @property
    def label(self) -> str:
        """As the order's timeline says it to the customer."""
        return {EventSource.YOU: "You", EventSource.PROVIDER: "Provider", EventSource.US: "Us"}[self]


class OrderEvent(Base):
    """Order event (timeline entry) with the state after it; replaying the events gives the order. Append-only."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_order", "order_id", "id"),
        {"sqlite_autoincrement": True, "info": {APPEND_ONLY: True}},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    kind: Mapped[str]
    source: Mapped[str]
    old_status: Mapped[str | None]
    status: Mapped[str]
    remains: Mapped[int]
    start_count: Mapped[int | None]
    kept_nanos: Mapped[int]
    returned_nanos: Mapped[int]
    version: Mapped[int]
    text: Mapped[str] = mapped_column(default="")
    raw: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]
    # Covers this row and the one before it of the same order (`domain/chain.py`).
    chain_hash: Mapped[str] = mapped_column(default="", server_default="")


class OrderCount(Base):
    """Number of a customer's orders in one status, maintained because counting a million rows is slow."""

    __tablename__ = "order_counts"

    customer_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    status: Mapped[str] = mapped_column(primary_key=True)
    orders: Mapped[int]
