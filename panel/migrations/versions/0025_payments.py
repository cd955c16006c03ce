"""Payments through gateways: their ids and reversals on deposits, and a table of their events.

Revision ID: 0025
Revises: 0024
Create Date: 2026-11-28 02:30:00

"""

import sqlalchemy as sa
from alembic import op

from panel.db import UtcDateTime

# revision identifiers, used by Alembic.
revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = UtcDateTime(timezone=True)


def _columns() -> list[sa.Column]:
    """What deposits get: how they are paid, the gateway's ids, and what it took back."""
    return [
        sa.Column("method", sa.Text(), server_default="manual", nullable=False),
        sa.Column("checkout_id", sa.Text(), nullable=True),
        sa.Column("checkout_url", sa.Text(), server_default="", nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("is_live", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("account", sa.Text(), server_default="", nullable=False),
        sa.Column("look_up_at", MOMENT, nullable=True),
        sa.Column("refunded_nanos", WHOLE, server_default="0", nullable=False),
        sa.Column("disputed_nanos", WHOLE, server_default="0", nullable=False),
        sa.Column("reversed_nanos", WHOLE, server_default="0", nullable=False),
        sa.Column("owed_nanos", WHOLE, server_default="0", nullable=False),
        sa.Column("holds_orders", sa.Boolean(), server_default=sa.false(), nullable=False),
    ]


def upgrade() -> None:
    for column in _columns():
        op.add_column("top_ups", column)
    op.create_index("uq_top_ups_checkout", "top_ups", ["method", "checkout_id"], unique=True)
    op.create_index("uq_top_ups_payment", "top_ups", ["method", "payment_id"], unique=True)
    _partial_index("ix_top_ups_look_up", "top_ups", ["look_up_at"], where="look_up_at IS NOT NULL")
    _partial_index("ix_top_ups_holding", "top_ups", ["customer_id"], where="holds_orders")
    op.create_table(
        "payment_events",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_nanos", WHOLE, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("checkout_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('paid', 'failed', 'expired', 'refunded', 'disputed', 'dispute_won', 'other')",
            name=op.f("ck_payment_events_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('new', 'waiting', 'applied', 'ignored', 'in_review')", name=op.f("ck_payment_events_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_events")),
        sa.UniqueConstraint("method", "event_id", name="uq_payment_events_event_id"),
    )
    _partial_index("ix_payment_events_due", "payment_events", ["due_at"], where="due_at IS NOT NULL")
    op.create_index("ix_payment_events_payment", "payment_events", ["method", "payment_id"], unique=False)


def downgrade() -> None:
    op.drop_table("payment_events")
    for name in ("ix_top_ups_holding", "ix_top_ups_look_up", "uq_top_ups_payment", "uq_top_ups_checkout"):
        op.drop_index(name, table_name="top_ups")
    for column in reversed(_columns()):
        op.drop_column("top_ups", column.name)


def _partial_index(name: str, table: str, columns: list[str], *, where: str) -> None:
    op.create_index(name, table, columns, unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
