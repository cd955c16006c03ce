"""Order costs: what the provider charged for each order.

Revision ID: 0032
Revises: 0031
Create Date: 2026-11-28 03:15:00

"""

import sqlalchemy as sa
from alembic import op

from panel.db import UtcDateTime

# revision identifiers, used by Alembic.
revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "order_costs",
        sa.Column("order_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("charge_nanos", WHOLE, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("exchange_nanos", WHOLE, nullable=True),
        sa.Column("cost_nanos", WHOLE, nullable=True),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("charge_nanos >= 0", name=op.f("ck_order_costs_charge")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_costs_order_id_orders")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_costs")),
    )


def downgrade() -> None:
    op.drop_table("order_costs")
