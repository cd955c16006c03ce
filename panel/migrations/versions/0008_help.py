"""The site that answers: favourites of customers.

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-23 06:15:00

"""

# revision identifiers, used by Alembic.
revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
