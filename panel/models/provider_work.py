"""Work around orders: attempts, refills, cancellations, reviews, heartbeats, time rules."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import APPEND_ONLY, Base
from panel.domain.audit_actions import label_of
from panel.domain.refill import RefillState
from panel.models.ledger import kind_label


class AttemptKind(StrEnum):
    ADD = "add"
    REFILL = "refill"


class AttemptState(StrEnum):
    """State of an attempt: intent → sent, refused, not_sent or unknown; unknown ones end by an operator or time."""

    INTENT = "intent"
    SENT = "sent"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    SETTLED = "settled"


class CallKind(StrEnum):
    """Calls whose number at the same time is limited for each provider."""

    ADD = "add"
    STATUS = "status"


class CancellationState(StrEnum):
    ASKED = "asked"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Attempt(Base):
    """A provider call that must not happen twice, committed as an intent before it is made."""

    __tablename__ = "attempts"
    __table_args__ = (
        CheckConstraint(f"kind IN ({kind_label(AttemptKind)})", name="kind"),
        CheckConstraint(f"state IN ({kind_label(AttemptState)})", name="state"),
        Index("ix_attempts_order", "order_id", "id"),
        Index(
            "uq_attempts_open",
            "order_id",
            "kind",
            unique=True,
            sqlite_where=text("state IN ('intent', 'unknown')"),
            postgresql_where=text("state IN ('intent', 'unknown')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    provider_id: Mapped[int] = mapped_column(ForeignKey("providers.id"))
    kind: Mapped[str]
    state: Mapped[str]
    at: Mapped[datetime]
    lease_until: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    answer: Mapped[str] = mapped_column(default="")


class CallSlot(Base):
    """The slot of a running call, deleted when the call ends; free at the end of its lease if its worker died."""

    __tablename__ = "provider_calls"
    __table_args__ = (
        CheckConstraint(f"kind IN ({kind_label(CallKind)})", name="kind"),
        Index("ix_provider_calls_running", "provider_id", "kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[int] = mapped_column(ForeignKey("providers.id"))
    kind: Mapped[str]
    worker: Mapped[str]
    lease_until: Mapped[datetime]


class Refill(Base):
    """A refill task of a Completed order; one open at a time."""

    __tablename__ = "refills"
    __table_args__ = (
        CheckConstraint(f"state IN ({kind_label(RefillState)})", name="state"),
        Index("ix_refills_order", "order_id", "id"),
        Index(
            "uq_refills_open",
            "order_id",
            unique=True,
            sqlite_where=text("state IN ('requested', 'running')"),
            postgresql_where=text("state IN ('requested', 'running')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    state: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    asked_at: Mapped[datetime]
    # When the provider accepted it, and when it was first seen running.
    accepted_at: Mapped[datetime | None]
    running_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    provider_refill_id: Mapped[str | None]
    # When a sweep next requests it or asks for its status.
    due_at: Mapped[datetime | None] = mapped_column(index=True)


class Cancellation(Base):
    """A customer's request to cancel an order that a provider already has; one open at a time."""

    __tablename__ = "cancellations"
    __table_args__ = (
        CheckConstraint(f"state IN ({kind_label(CancellationState)})", name="state"),
        Index("ix_cancellations_order", "order_id", "id"),
        Index(
            "ix_cancellations_open",
            "id",
            sqlite_where=text("state = 'asked'"),
            postgresql_where=text("state = 'asked'"),
        ),
        Index(
            "uq_cancellations_open",
            "order_id",
            unique=True,
            sqlite_where=text("state = 'asked'"),
            postgresql_where=text("state = 'asked'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    state: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    # Number of requests without a known answer.
    asks: Mapped[int] = mapped_column(default=0, server_default="0")


class Review(Base):
    """An issue for operators to resolve; deduplicated by its fingerprint."""

    __tablename__ = "reviews"
    __table_args__ = (
        Index(
            "ix_reviews_open",
            "kind",
            "id",
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    provider_id: Mapped[int | None] = mapped_column(ForeignKey("providers.id"))
    text: Mapped[str]
    raw: Mapped[str] = mapped_column(default="")
    fingerprint: Mapped[str] = mapped_column(unique=True)
    opened_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str] = mapped_column(default="")


class AuditLogEntry(Base):
    """Audit log entry: an operator's action with its object and reason. Append-only."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_subject", "subject", "id"),
        Index("ix_audit_log_at", "at"),
        {"info": {APPEND_ONLY: True}},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]

    @property
    def label(self) -> str:
        """The action in words."""
        return label_of(self.action)


class Heartbeat(Base):
    """Last heartbeat of each worker."""

    __tablename__ = "heartbeats"

    worker: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class TimeRules(Base):
    """State of the time rules that move money: their hourly count, and whether they are on hold. A single row, id 1."""

    __tablename__ = "time_rules"

    id: Mapped[int] = mapped_column(primary_key=True)
    # The counted hour, and the number of orders ended by time in it.
    hour_began_at: Mapped[datetime | None]
    ended_in_hour: Mapped[int] = mapped_column(default=0)
    # Additional orders allowed by an operator in this hour.
    allowance: Mapped[int] = mapped_column(default=0)
    held_at: Mapped[datetime | None]
    held_why: Mapped[str] = mapped_column(default="")
    # When operators were notified, which is only once the hold delays something.
    asked_at: Mapped[datetime | None]
    # Stored times up to this one are accepted by an operator, even if they are in the future.
    trusted_until: Mapped[datetime | None]


# Literals, as in the partial indexes: with bound parameters SQLite would not use these indexes.
IS_OPEN_ATTEMPT = Attempt.state.in_([literal_column("'intent'"), literal_column("'unknown'")])
IS_OPEN_REFILL = Refill.state.in_([literal_column("'requested'"), literal_column("'running'")])
IS_OPEN_CANCELLATION = Cancellation.state == literal_column("'asked'")
