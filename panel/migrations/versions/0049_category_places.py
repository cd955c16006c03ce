"""Order of the categories, as operators set it.

Revision ID: 0049
Revises: 0048
Create Date: 2026-11-28 14:25:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "category_places",
        sa.Column("id", ID, nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("place", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category_places")),
        sa.UniqueConstraint("category", name=op.f("uq_category_places_category")),
    )


def downgrade() -> None:
    op.drop_table("category_places")
