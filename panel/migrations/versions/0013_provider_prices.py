"""How the last import of a provider's catalogue made prices: currency, rate of exchange, margin.

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-27 11:25:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("providers", sa.Column("catalogue_currency", sa.Text(), server_default="", nullable=False))
    op.add_column("providers", sa.Column("exchange_nanos", WHOLE, nullable=True))
    op.add_column("providers", sa.Column("margin_millionths", WHOLE, nullable=True))


def downgrade() -> None:
    op.drop_column("providers", "margin_millionths")
    op.drop_column("providers", "exchange_nanos")
    op.drop_column("providers", "catalogue_currency")
