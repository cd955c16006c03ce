"""Platform status: measurements, daily sums, audit runs, incidents and their updates."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import APPEND_ONLY, Base
from panel.domain.platform.component_states import State
from panel.domain.platform.incidents import Phase
from panel.models.ledger import kind_label


class Measurement(Base):
    """Result of one probe of one component. Deleted after two days; ComponentDay keeps the sums."""

    __tablename__ = "measurements"
    __table_args__ = (
        CheckConstraint(f"state IN ({kind_label(State)})", name="state"),
        Index("ix_measurements_at", "at"),
    )

    component: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[str]
    # Measured time in milliseconds, for probes that measure one.
    value_ms: Mapped[int | None]
    text: Mapped[str] = mapped_column(default="")


class ComponentDay(Base):
    """How long a component was in each state on one UTC day, in whole seconds."""

    __tablename__ = "component_days"

    component: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date(), primary_key=True)
    operational_seconds: Mapped[int] = mapped_column(default=0)
    degraded_seconds: Mapped[int] = mapped_column(default=0)
    partial_seconds: Mapped[int] = mapped_column(default=0)
    major_seconds: Mapped[int] = mapped_column(default=0)
    unknown_seconds: Mapped[int] = mapped_column(default=0)


class AuditRun(Base):
    """A ledger audit run by the worker: time, duration, and result."""

    __tablename__ = "audit_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    took_ms: Mapped[int]
    orders: Mapped[int]
    is_sound: Mapped[bool]
    # The first differences, one per line, for operators.
    differences: Mapped[str] = mapped_column(default="")


class Incident(Base):
    """An incident or planned maintenance. Visible to customers once it is published."""

    __tablename__ = "incidents"
    __table_args__ = (
        CheckConstraint(f"phase IN ({kind_label(Phase)})", name="phase"),
        CheckConstraint("(planned_from IS NULL) = (planned_until IS NULL)", name="window"),
        CheckConstraint("planned_from IS NULL OR planned_from < planned_until", name="window_order"),
        Index(
            "uq_incidents_proposed",
            "proposed_for",
            unique=True,
            sqlite_where=text("published_at IS NULL AND dismissed_at IS NULL"),
            postgresql_where=text("published_at IS NULL AND dismissed_at IS NULL"),
        ),
        Index(
            "ix_incidents_open",
            "began_at",
            sqlite_where=text("published_at IS NOT NULL AND resolved_at IS NULL"),
            postgresql_where=text("published_at IS NOT NULL AND resolved_at IS NULL"),
        ),
        Index(
            "ix_incidents_published",
            "began_at",
            "id",
            sqlite_where=text("published_at IS NOT NULL"),
            postgresql_where=text("published_at IS NOT NULL"),
        ),
        Index(
            "ix_incidents_dismissed",
            "began_at",
            "id",
            sqlite_where=text("dismissed_at IS NOT NULL"),
            postgresql_where=text("dismissed_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    # Idempotency key of the form.
    request_id: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    # Postmortem for customers: impact, cost and refunds.
    impact: Mapped[str] = mapped_column(default="")
    cost: Mapped[str] = mapped_column(default="")
    phase: Mapped[str]
    # Number of updates, for optimistic locking of the form.
    updates: Mapped[int] = mapped_column(default=0)
    # The component whose measurements caused the proposal; None if an operator opened it.
    proposed_for: Mapped[str | None]
    began_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    dismissed_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    planned_from: Mapped[datetime | None]
    planned_until: Mapped[datetime | None]
    # The id of the last customer for whom a mail was queued; None while there is none to queue.
    mailed_up_to: Mapped[int | None]


class IncidentUpdate(Base):
    """An update of an incident. Append-only: triggers reject UPDATE and DELETE."""

    __tablename__ = "incident_updates"
    __table_args__ = (
        CheckConstraint(f"phase IN ({kind_label(Phase)})", name="phase"),
        Index("ix_incident_updates_incident", "incident_id", "id"),
        {"info": {APPEND_ONLY: True}},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"))
    phase: Mapped[str]
    text: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime]


class IncidentPart(Base):
    """An affected component and its state, as of an update. Append-only."""

    __tablename__ = "incident_parts"
    __table_args__ = (
        CheckConstraint(f"state IN ({kind_label(State)})", name="state"),
        {"info": {APPEND_ONLY: True}},
    )

    update_id: Mapped[int] = mapped_column(ForeignKey("incident_updates.id"), primary_key=True)
    component: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
