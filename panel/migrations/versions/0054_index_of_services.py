"""Index of tools by provider and service: which form and limits the service of a further provider has.

Revision ID: 0054
Revises: 0053
Create Date: 2026-11-28 14:55:00

"""

from alembic import op

# revision identifiers, used by Alembic.
revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_tools_service", "tools", ["provider_id", "provider_service"])


def downgrade() -> None:
    op.drop_index("ix_tools_service", table_name="tools")
