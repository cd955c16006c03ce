"""Refills and cancellations to the end, backups.

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-23 06:15:00

"""

# revision identifiers, used by Alembic.
revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
