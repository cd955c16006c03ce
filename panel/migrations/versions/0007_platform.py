"""Platform status: components, what the probes measured, incidents.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-23 06:15:00

"""

import sqlalchemy as sa
from alembic import op

import panel.db

# revision identifiers, used by Alembic.
revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

APPEND_ONLY = ("incident_updates", "incident_parts")
STATES = "state IN ('operational', 'degraded', 'partial', 'major', 'unknown')"
PHASES = "phase IN ('investigating', 'identified', 'monitoring', 'resolved', 'planned')"
IS_PROPOSAL = sa.text("published_at IS NULL AND dismissed_at IS NULL")


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = panel.db.UtcDateTime(timezone=True)
    op.create_table(
        "measurements",
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("value_ms", number, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint(STATES, name=op.f("ck_measurements_state")),
        sa.PrimaryKeyConstraint("component", "at", name=op.f("pk_measurements")),
    )
    with op.batch_alter_table("measurements", schema=None) as batch_op:
        batch_op.create_index("ix_measurements_at", ["at"], unique=False)

    op.create_table(
        "component_days",
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(
            sa.Column(f"{state}_seconds", number, nullable=False)
            for state in ("operational", "degraded", "partial", "major", "unknown")
        ),
        sa.PrimaryKeyConstraint("component", "day", name=op.f("pk_component_days")),
    )
    op.create_table(
        "audit_runs",
        sa.Column("id", number, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("took_ms", number, nullable=False),
        sa.Column("orders", number, nullable=False),
        sa.Column("is_sound", sa.Boolean(), nullable=False),
        sa.Column("differences", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_runs")),
    )
    op.create_table(
        "incidents",
        sa.Column("id", number, nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("impact", sa.Text(), nullable=False),
        sa.Column("cost", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("updates", number, nullable=False),
        sa.Column("proposed_for", sa.Text(), nullable=True),
        sa.Column("began_at", moment, nullable=False),
        sa.Column("published_at", moment, nullable=True),
        sa.Column("dismissed_at", moment, nullable=True),
        sa.Column("resolved_at", moment, nullable=True),
        sa.Column("planned_from", moment, nullable=True),
        sa.Column("planned_until", moment, nullable=True),
        sa.CheckConstraint(PHASES, name=op.f("ck_incidents_phase")),
        sa.CheckConstraint("(planned_from IS NULL) = (planned_until IS NULL)", name=op.f("ck_incidents_window")),
        sa.CheckConstraint(
            "planned_from IS NULL OR planned_from < planned_until", name=op.f("ck_incidents_window_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        sa.UniqueConstraint("request_id", name=op.f("uq_incidents_request_id")),
        sa.UniqueConstraint("slug", name=op.f("uq_incidents_slug")),
    )
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.create_index(
            "uq_incidents_proposed",
            ["proposed_for"],
            unique=True,
            sqlite_where=IS_PROPOSAL,
            postgresql_where=IS_PROPOSAL,
        )

    op.create_table(
        "incident_updates",
        sa.Column("id", number, nullable=False),
        sa.Column("incident_id", number, nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.CheckConstraint(PHASES, name=op.f("ck_incident_updates_phase")),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_incident_updates_incident_id_incidents")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_updates")),
    )
    with op.batch_alter_table("incident_updates", schema=None) as batch_op:
        batch_op.create_index("ix_incident_updates_incident", ["incident_id", "id"], unique=False)

    op.create_table(
        "incident_parts",
        sa.Column("update_id", number, nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint(STATES, name=op.f("ck_incident_parts_state")),
        sa.ForeignKeyConstraint(
            ["update_id"], ["incident_updates.id"], name=op.f("fk_incident_parts_update_id_incident_updates")
        ),
        sa.PrimaryKeyConstraint("update_id", "component", name=op.f("pk_incident_parts")),
    )
    _refuse_changes()


def _refuse_changes() -> None:
    """What was said about an incident is never changed. The function of PostgreSQL is that of 0001."""
    if op.get_bind().dialect.name == "sqlite":
        for table in APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_table("incident_parts")
    op.drop_table("incident_updates")
    op.drop_table("incidents")
    op.drop_table("audit_runs")
    op.drop_table("component_days")
    op.drop_table("measurements")
