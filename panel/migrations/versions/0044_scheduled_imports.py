"""Scheduled imports: every how many hours a provider's catalogue is fetched, when next, and which import was one.

Revision ID: 0044
Revises: 0043
Create Date: 2026-11-28 11:40:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("providers", sa.Column("import_hours", ID, nullable=True))
    op.add_column("providers", sa.Column("import_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "catalogue_imports", sa.Column("is_scheduled", sa.Boolean(), server_default=sa.false(), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("catalogue_imports", "is_scheduled")
    op.drop_column("providers", "import_due_at")
    op.drop_column("providers", "import_hours")
