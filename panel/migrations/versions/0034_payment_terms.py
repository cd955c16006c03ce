"""Terms of payment methods: limits, fee and bonus; deposits keep the fee and the bonus they were requested with.

Revision ID: 0034
Revises: 0033
Create Date: 2026-11-28 03:40:00

"""

import sqlalchemy as sa
from alembic import op

from panel.db import UtcDateTime

# revision identifiers, used by Alembic.
revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for name in ("fee_nanos", "bonus_nanos"):
        op.add_column("top_ups", sa.Column(name, WHOLE, server_default="0", nullable=False))
    op.create_table(
        "payment_terms",
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("minimum_nanos", WHOLE, nullable=False),
        sa.Column("maximum_nanos", WHOLE, nullable=False),
        sa.Column("fee_basis_points", WHOLE, nullable=False),
        sa.Column("fee_nanos", WHOLE, nullable=False),
        sa.Column("bonus_basis_points", WHOLE, nullable=False),
        sa.Column("bonus_from_nanos", WHOLE, nullable=False),
        sa.Column("changed_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "minimum_nanos > 0 AND maximum_nanos >= minimum_nanos", name=op.f("ck_payment_terms_limits")
        ),
        sa.CheckConstraint(
            "fee_basis_points BETWEEN 0 AND 10000 AND fee_nanos >= 0", name=op.f("ck_payment_terms_fee")
        ),
        sa.CheckConstraint(
            "bonus_basis_points BETWEEN 0 AND 10000 AND bonus_from_nanos >= 0", name=op.f("ck_payment_terms_bonus")
        ),
        sa.PrimaryKeyConstraint("method", name=op.f("pk_payment_terms")),
    )


def downgrade() -> None:
    op.drop_table("payment_terms")
    for name in ("bonus_nanos", "fee_nanos"):
        op.drop_column("top_ups", name)
