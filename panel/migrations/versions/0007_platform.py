"""Platform status: components, what the probes measured, incidents.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-23 06:15:00

"""

# revision identifiers, used by Alembic.
revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
