"""Time rules: how many orders they ended in the present hour, and whether they are on hold.

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-27 11:00:00

"""

import sqlalchemy as sa
from alembic import op

import panel.db

# revision identifiers, used by Alembic.
revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "time_rules",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hour_began_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_in_hour", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("allowance", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("held_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("held_why", sa.Text(), nullable=False),
        sa.Column("asked_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("trusted_until", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_time_rules")),
    )


def downgrade() -> None:
    op.drop_table("time_rules")
