"""Refills and cancellations to the end, backups.

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-23 06:15:00

"""

import sqlalchemy as sa
from alembic import op

import panel.db

# revision identifiers, used by Alembic.
revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("refills", schema=None) as batch_op:
        batch_op.add_column(sa.Column("accepted_at", panel.db.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("running_at", panel.db.UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("refills", schema=None) as batch_op:
        batch_op.drop_column("running_at")
        batch_op.drop_column("accepted_at")
