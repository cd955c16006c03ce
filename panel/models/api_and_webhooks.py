"""API keys, webhook endpoints and the queue of webhook deliveries."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base
from panel.domain.accounts.key_scope import KeyScope
from panel.models.ledger import kind_label


class ApiKey(Base):
    """An API key. The customer saw it once; only its hash and its first characters are stored."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint(f"scope IN ({kind_label(KeyScope)})", name="scope"),
        CheckConstraint("daily_cap_nanos > 0", name="daily_cap"),
        CheckConstraint("spent_nanos >= 0", name="spent"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(unique=True)
    starts_with: Mapped[str]
    # Allowed networks as entered, separated by spaces; empty: any.
    networks: Mapped[str] = mapped_column(default="")
    scope: Mapped[str] = mapped_column(default=KeyScope.ORDER, server_default=KeyScope.ORDER.value)
    # The most that new orders of one UTC day may cost; None: no cap, and then nothing is counted.
    daily_cap_nanos: Mapped[int | None]
    spent_on: Mapped[date | None] = mapped_column(Date())
    spent_nanos: Mapped[int] = mapped_column(default=0, server_default="0")
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ApiTestCustomer(Base):
    """The account that an owner's test keys use: its own orders and test money, apart from the owner's."""

    __tablename__ = "api_test_customers"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, autoincrement=False)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), unique=True)


class WebhookEndpoint(Base):
    """A customer's webhook endpoint, with its encrypted signing secret."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    url: Mapped[str]
    encrypted_secret: Mapped[str]
    # The previous secret also signs until `old_secret_until`.
    encrypted_old_secret: Mapped[str] = mapped_column(default="")
    old_secret_until: Mapped[datetime | None]
    balance_low_nanos: Mapped[int | None]
    made_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class DeliveryState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class Webhook(Base):
    """A webhook event: written in the transaction in which it happened, never changed."""

    __tablename__ = "webhooks"
    __table_args__ = (
        UniqueConstraint("order_id", "number"),
        Index("ix_webhooks_user", "user_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    number: Mapped[int | None]
    body: Mapped[str]
    at: Mapped[datetime]


class WebhookDelivery(Base):
    """One delivery of a webhook to one endpoint, retried until accepted or for 72 hours."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "webhook_id"),
        CheckConstraint(f"state IN ({kind_label(DeliveryState)})", name="state"),
        Index(
            "ix_deliveries_due",
            "endpoint_id",
            "webhook_id",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoints.id"))
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id"))
    state: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    answer: Mapped[str] = mapped_column(default="")
    delivered_at: Mapped[datetime | None]
