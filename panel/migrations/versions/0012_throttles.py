"""Index on the time of counted tries, which every try reads to forget old ones.

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-27 11:20:00

"""

from alembic import op

# revision identifiers, used by Alembic.
revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_failed_tries_at", "failed_tries", ["at"])


def downgrade() -> None:
    op.drop_index("ix_failed_tries_at", table_name="failed_tries")
