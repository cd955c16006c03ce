"""Mails about incidents: up to which customer they are queued.

Revision ID: 0055
Revises: 0054
Create Date: 2026-11-28 14:50:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("incidents", sa.Column("mailed_up_to", ID, nullable=True))


def downgrade() -> None:
    op.drop_column("incidents", "mailed_up_to")
