"""Price rules of providers: fixed sum, rounding step, floor, margins of categories; a tool's rate in all its digits.

Revision ID: 0040
Revises: 0039
Create Date: 2026-11-28 11:00:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "category_margins",
        sa.Column("id", ID, nullable=False),
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("margin_millionths", ID, nullable=False),
        sa.Column("fixed_micros", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.id"], name=op.f("fk_category_margins_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category_margins")),
        sa.UniqueConstraint("provider_id", "category", name=op.f("uq_category_margins_provider_id_category")),
    )
    op.add_column("providers", sa.Column("fixed_micros", ID, server_default="0", nullable=False))
    op.add_column("providers", sa.Column("step_micros", ID, server_default="1", nullable=False))
    op.add_column("providers", sa.Column("floor_micros", ID, server_default="0", nullable=False))
    op.add_column("tools", sa.Column("provider_rate", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("tools", "provider_rate")
    op.drop_column("providers", "floor_micros")
    op.drop_column("providers", "step_micros")
    op.drop_column("providers", "fixed_micros")
    op.drop_table("category_margins")
