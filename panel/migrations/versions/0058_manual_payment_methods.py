"""Deposits remember the manual method they were requested with, and the terms that were shown for it.

Revision ID: 0058
Revises: 0057
Create Date: 2026-11-28 18:30:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TERMS = ("terms_fee_basis_points", "terms_fee_nanos", "terms_bonus_basis_points", "terms_bonus_from_nanos")


def upgrade() -> None:
    op.add_column("top_ups", sa.Column("method_name", sa.Text(), server_default="", nullable=False))
    for name in TERMS:
        op.add_column("top_ups", sa.Column(name, WHOLE, server_default="0", nullable=False))


def downgrade() -> None:
    for name in (*reversed(TERMS), "method_name"):
        op.drop_column("top_ups", name)
