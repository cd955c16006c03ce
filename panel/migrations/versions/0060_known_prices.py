"""The prices that a customer knew before their price list changed, until they are mailed about it.

Revision ID: 0060
Revises: 0059
Create Date: 2026-11-28 19:10:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "known_prices",
        sa.Column("user_id", ID, autoincrement=False, nullable=False),
        sa.Column("prices", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_known_prices_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_known_prices")),
    )


def downgrade() -> None:
    op.drop_table("known_prices")
