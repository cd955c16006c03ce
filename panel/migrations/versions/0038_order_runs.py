"""Drip-feed: the runs of an order.

Revision ID: 0038
Revises: 0037
Create Date: 2026-11-28 08:50:00

"""

import sqlalchemy as sa
from alembic import op

from panel.db import UtcDateTime

# revision identifiers, used by Alembic.
revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STATUS = "status IN ('pending', 'processing', 'in_progress', 'completed', 'partial', 'canceled', 'refill')"


def upgrade() -> None:
    op.create_table(
        "order_runs",
        sa.Column("id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("quantity", ID, nullable=False),
        sa.Column("due_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("remains", ID, nullable=False),
        sa.Column("start_count", ID, nullable=True),
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("provider_order_id", sa.Text(), nullable=True),
        sa.Column("sent_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "number > 0 AND quantity > 0 AND remains >= 0 AND remains <= quantity", name=op.f("ck_order_runs_counts")
        ),
        sa.CheckConstraint(STATUS, name=op.f("ck_order_runs_status")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_runs_order_id_orders")),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name=op.f("fk_order_runs_provider_id_providers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_runs")),
        sa.UniqueConstraint("order_id", "number", name=op.f("uq_order_runs_order_id_number")),
        sa.UniqueConstraint(
            "provider_id", "provider_order_id", name=op.f("uq_order_runs_provider_id_provider_order_id")
        ),
    )


def downgrade() -> None:
    op.drop_table("order_runs")
