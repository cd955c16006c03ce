"""What providers charged for the runs of drip-feed orders.

Revision ID: 0051
Revises: 0050
Create Date: 2026-11-28 14:40:00

"""

import sqlalchemy as sa
from alembic import op

from panel.db import UtcDateTime

# revision identifiers, used by Alembic.
revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "run_costs",
        sa.Column("charge_nanos", ID, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("exchange_nanos", ID, nullable=True),
        sa.Column("cost_nanos", ID, nullable=True),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("run_id", ID, autoincrement=False, nullable=False),
        sa.CheckConstraint("charge_nanos >= 0", name=op.f("ck_run_costs_charge")),
        sa.ForeignKeyConstraint(["run_id"], ["order_runs.id"], name=op.f("fk_run_costs_run_id_order_runs")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_costs")),
    )


def downgrade() -> None:
    op.drop_table("run_costs")
