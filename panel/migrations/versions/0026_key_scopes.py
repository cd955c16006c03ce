"""API keys: what each may do, and the most that its orders of a day may cost.

Revision ID: 0026
Revises: 0025
Create Date: 2026-11-28 02:50:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

NANOS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CHECKS = {
    "scope": "scope IN ('read', 'order')",
    "daily_cap": "daily_cap_nanos > 0",
    "spent": "spent_nanos >= 0",
}


def upgrade() -> None:
    with op.batch_alter_table("api_keys") as batch_op:
        batch_op.add_column(sa.Column("scope", sa.Text(), server_default="order", nullable=False))
        batch_op.add_column(sa.Column("daily_cap_nanos", NANOS, nullable=True))
        batch_op.add_column(sa.Column("spent_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("spent_nanos", NANOS, server_default="0", nullable=False))
        for name, rule in CHECKS.items():
            batch_op.create_check_constraint(op.f(f"ck_api_keys_{name}"), rule)


def downgrade() -> None:
    with op.batch_alter_table("api_keys") as batch_op:
        for name in CHECKS:
            batch_op.drop_constraint(op.f(f"ck_api_keys_{name}"), type_="check")
        for name in ("spent_nanos", "spent_on", "daily_cap_nanos", "scope"):
            batch_op.drop_column(name)
