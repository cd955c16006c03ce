"""An index of the staff, who are few among many customers.

Revision ID: 0057
Revises: 0056
Create Date: 2026-11-28 15:10:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

IS_STAFF = sa.text("role <> 'customer'")


def upgrade() -> None:
    op.create_index("ix_users_staff", "users", ["role"], sqlite_where=IS_STAFF, postgresql_where=IS_STAFF)


def downgrade() -> None:
    op.drop_index("ix_users_staff", table_name="users")
