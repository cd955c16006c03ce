"""Deposits that customers request, and the events of payment gateways as they came."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base
from panel.domain.payment import NO_TERMS, PaidParts, PaymentMethod, PaymentReportKind
from panel.models.ledger import kind_label


class DepositRequest(Base):
    """A deposit requested by a customer, open until it is paid or refused."""

    __tablename__ = "deposits"
    __table_args__ = (
        CheckConstraint("amount_nanos > 0", name="amount_positive"),
        Index("uq_deposits_checkout", "method", "checkout_id", unique=True),
        Index("uq_deposits_payment", "method", "payment_id", unique=True),
        Index(
            "ix_deposits_look_up",
            "look_up_at",
            sqlite_where=text("look_up_at IS NOT NULL"),
            postgresql_where=text("look_up_at IS NOT NULL"),
        ),
        Index(
            "ix_deposits_holding",
            "customer_id",
            sqlite_where=text("holds_orders"),
            postgresql_where=text("holds_orders"),
        ),
        Index(
            "ix_deposits_open",
            "customer_id",
            sqlite_where=text("transfer_id IS NULL AND refused_at IS NULL"),
            postgresql_where=text("transfer_id IS NULL AND refused_at IS NULL"),
        ),
        Index(
            "ix_deposits_waiting",
            "method",
            "id",
            sqlite_where=text("transfer_id IS NULL AND refused_at IS NULL"),
            postgresql_where=text("transfer_id IS NULL AND refused_at IS NULL"),
        ),
        Index(
            "ix_deposits_refused",
            "customer_id",
            "refused_at",
            sqlite_where=text("refused_at IS NOT NULL"),
            postgresql_where=text("refused_at IS NOT NULL"),
        ),
        Index(
            "ix_deposits_transfer",
            "transfer_id",
            sqlite_where=text("transfer_id IS NOT NULL"),
            postgresql_where=text("transfer_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    reference: Mapped[str] = mapped_column(unique=True)
    amount_nanos: Mapped[int]
    requested_at: Mapped[datetime]
    transfer_id: Mapped[int | None] = mapped_column(ForeignKey("transfers.id"))
    refused_at: Mapped[datetime | None]
    refused_reason: Mapped[str] = mapped_column(default="", server_default="")
    # How it is paid. The rest is for payments through a gateway: its ids, its payment page, mode and account.
    method: Mapped[str] = mapped_column(default=PaymentMethod.MANUAL, server_default=PaymentMethod.MANUAL)
    checkout_id: Mapped[str | None]
    checkout_url: Mapped[str] = mapped_column(default="", server_default="")
    payment_id: Mapped[str | None]
    is_live: Mapped[bool] = mapped_column(default=False, server_default=false())
    account: Mapped[str] = mapped_column(default="", server_default="")
    # Our fee, paid on top of the amount, and the bonus added to it: as requested, and once confirmed, as they were.
    fee_nanos: Mapped[int] = mapped_column(default=0, server_default="0")
    bonus_nanos: Mapped[int] = mapped_column(default=0, server_default="0")
    # The manual method's name, and the terms shown then: another amount may arrive, and fee and bonus follow it.
    method_name: Mapped[str] = mapped_column(default="", server_default="")
    terms_fee_basis_points: Mapped[int] = mapped_column(default=0, server_default="0")
    terms_fee_nanos: Mapped[int] = mapped_column(default=0, server_default="0")
    terms_bonus_basis_points: Mapped[int] = mapped_column(default=0, server_default="0")
    terms_bonus_from_nanos: Mapped[int] = mapped_column(default=0, server_default="0")
    # When the gateway is next asked for its outcome.
    look_up_at: Mapped[datetime | None]
    # What the gateway took back, and of that: what was taken from the balance, and what the balance didn't cover.
    refunded_nanos: Mapped[int] = mapped_column(default=0, server_default="0")
    disputed_nanos: Mapped[int] = mapped_column(default=0, server_default="0")
    reversed_nanos: Mapped[int] = mapped_column(default=0, server_default="0")
    owed_nanos: Mapped[int] = mapped_column(default=0, server_default="0")
    # Whether the customer can't order because of what is owed, until an operator releases it.
    holds_orders: Mapped[bool] = mapped_column(default=False, server_default=false())

    @property
    def asked_nanos(self) -> int:
        """Amount to pay: the deposit and our fee."""
        return self.amount_nanos + self.fee_nanos

    @property
    def method_label(self) -> str:
        return self.method_name or PaymentMethod(self.method).label

    def parts(self, paid_nanos: int, *, unit_nanos: int) -> PaidParts:
        """Parts of a payment of this amount, under the terms of the request."""
        terms = replace(
            NO_TERMS,
            fee_basis_points=self.terms_fee_basis_points,
            fee_nanos=self.terms_fee_nanos,
            bonus_basis_points=self.terms_bonus_basis_points,
            bonus_from_nanos=self.terms_bonus_from_nanos,
        )
        return terms.of_payment(paid_nanos, unit_nanos=unit_nanos)


class PaymentTerms(Base):
    """Terms of a payment method, as operators set them. A method without a row has the usual limits and no fee."""

    __tablename__ = "payment_terms"
    __table_args__ = (
        CheckConstraint("minimum_nanos > 0 AND maximum_nanos >= minimum_nanos", name="limits"),
        CheckConstraint("fee_basis_points BETWEEN 0 AND 10000 AND fee_nanos >= 0", name="fee"),
        CheckConstraint("bonus_basis_points BETWEEN 0 AND 10000 AND bonus_from_nanos >= 0", name="bonus"),
    )

    method: Mapped[str] = mapped_column(primary_key=True)
    is_on: Mapped[bool]
    minimum_nanos: Mapped[int]
    maximum_nanos: Mapped[int]
    fee_basis_points: Mapped[int]
    fee_nanos: Mapped[int]
    bonus_basis_points: Mapped[int]
    bonus_from_nanos: Mapped[int]
    changed_at: Mapped[datetime]


class PaymentEventState(StrEnum):
    """State of an event: new → applied, ignored or in review. One whose payment isn't known yet waits for it."""

    NEW = "new"
    WAITING = "waiting"
    APPLIED = "applied"
    IGNORED = "ignored"
    IN_REVIEW = "in_review"

    @property
    def label(self) -> str:
        return _STATE_LABELS[self]


_STATE_LABELS = {
    PaymentEventState.NEW: "New",
    PaymentEventState.WAITING: "Waiting for its payment",
    PaymentEventState.APPLIED: "Applied",
    PaymentEventState.IGNORED: "Ignored",
    PaymentEventState.IN_REVIEW: "In review",
}


class PaymentEvent(Base):
    """A verified event of a gateway, stored once by its id, and worked on by a job."""

    __tablename__ = "payment_events"
    __table_args__ = (
        UniqueConstraint("method", "event_id", name="uq_payment_events_event_id"),
        CheckConstraint(f"kind IN ({kind_label(PaymentReportKind)})", name="kind"),
        CheckConstraint(f"state IN ({kind_label(PaymentEventState)})", name="state"),
        Index(
            "ix_payment_events_due",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        Index("ix_payment_events_payment", "method", "payment_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    method: Mapped[str]
    event_id: Mapped[str]
    # The gateway's own word, and what it means to us.
    type: Mapped[str]
    kind: Mapped[str]
    amount_nanos: Mapped[int]
    currency: Mapped[str]
    is_live: Mapped[bool]
    account: Mapped[str]
    checkout_id: Mapped[str]
    payment_id: Mapped[str]
    reference: Mapped[str]
    raw: Mapped[str]
    received_at: Mapped[datetime]
    state: Mapped[str]
    # When it is worked on next; None when it is done.
    due_at: Mapped[datetime | None]
    # What was done, or why nothing was.
    outcome: Mapped[str] = mapped_column(default="")

    @property
    def state_label(self) -> str:
        return PaymentEventState(self.state).label
