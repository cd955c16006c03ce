"""What is under way around an order: attempts, refills, cancellations, and reviews for operators."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import APPEND_ONLY, Base
from panel.domain.refill import RefillState
from panel.models.ledger import kind_label


class AttemptKind(StrEnum):
    ADD = "add"
    REFILL = "refill"


class AttemptState(StrEnum):
    """intent → sent | refused | not_sent | unknown; what is unknown becomes settled, by an operator or by time."""

    INTENT = "intent"
    SENT = "sent"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    SETTLED = "settled"


class CancellationState(StrEnum):
    ASKED = "asked"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Attempt(Base):
    """One call to a provider that must not happen twice, written down before it is made."""

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


class Refill(Base):
    """A top-up task on a Completed order; one open at a time."""

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
    # When whoever delivers took it, and when the top-up was first seen to run.
    accepted_at: Mapped[datetime | None]
    running_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    provider_refill_id: Mapped[str | None]
    # When a sweep next takes it up: to ask the provider for it, or about it.
    due_at: Mapped[datetime | None] = mapped_column(index=True)


class Cancellation(Base):
    """A customer's request to stop an order that a provider already has; one open at a time."""

    __tablename__ = "cancellations"
    __table_args__ = (
        CheckConstraint(f"state IN ({kind_label(CancellationState)})", name="state"),
        Index("ix_cancellations_order", "order_id", "id"),
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
    # How often the provider was asked without an answer that we can read.
    asks: Mapped[int] = mapped_column(default=0, server_default="0")


class Review(Base):
    """Something an operator must look at. The same thing again, by its fingerprint, opens no second one."""

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
    """One act of an operator: who, what, on what, why. Never changed."""

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_subject", "subject", "id"), {"info": {APPEND_ONLY: True}})

    id: Mapped[int] = mapped_column(primary_key=True)
    actor: Mapped[str]
    act: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]


class Heartbeat(Base):
    """When each worker was last seen alive."""

    __tablename__ = "heartbeats"

    worker: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class TimeRules(Base):
    """What the time rules that move money have ended lately, and whether they are on hold. One row, number 1."""

    __tablename__ = "time_rules"

    id: Mapped[int] = mapped_column(primary_key=True)
    # The hour that is counted, and how many orders time has ended in it.
    hour_began_at: Mapped[datetime | None]
    ended_in_hour: Mapped[int] = mapped_column(default=0)
    # How many more an operator has let through in this hour.
    allowance: Mapped[int] = mapped_column(default=0)
    held_at: Mapped[datetime | None]
    held_why: Mapped[str] = mapped_column(default="")
    # When operators were asked: only once there is something that the hold keeps.
    asked_at: Mapped[datetime | None]
    # Stored moments up to this one count as right, by an operator's word, even if they are in the future.
    trusted_until: Mapped[datetime | None]


# As the indexes on what is open say it: with values that were bound, SQLite would not know that they serve.
IS_OPEN_ATTEMPT = Attempt.state.in_([literal_column("'intent'"), literal_column("'unknown'")])
IS_OPEN_REFILL = Refill.state.in_([literal_column("'requested'"), literal_column("'running'")])
