"""Staff roles: whoever was an operator becomes an owner, and proposals name the role that they give.

Revision ID: 0045
Revises: 0044
Create Date: 2026-11-28 11:10:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

RULE = "role IN ('owner', 'operator', 'support', 'read-only', 'customer')"


def upgrade() -> None:
    check = "" if _is_postgresql() else f" CONSTRAINT ck_users_role CHECK ({RULE})"
    # SQLite adds a CHECK only with the column; the table is not made again, since many others refer to it.
    op.execute(f"ALTER TABLE users ADD COLUMN role TEXT DEFAULT 'customer' NOT NULL{check}")
    op.execute("UPDATE users SET role = 'owner' WHERE is_operator")
    op.drop_column("users", "is_operator")
    op.add_column("proposals", sa.Column("role", sa.Text(), server_default="", nullable=False))
    op.execute("UPDATE proposals SET role = 'operator' WHERE kind = 'make_operator'")
    if _is_postgresql():
        op.create_check_constraint(op.f("ck_users_role"), "users", sa.text(RULE))


def downgrade() -> None:
    op.drop_column("proposals", "role")
    op.add_column("users", sa.Column("is_operator", sa.Boolean(), server_default=sa.false(), nullable=False))
    # Support and read-only get no rights that they did not have.
    op.execute("UPDATE users SET is_operator = true WHERE role IN ('owner', 'operator')")
    if _is_postgresql():
        op.drop_constraint(op.f("ck_users_role"), "users", type_="check")
    op.drop_column("users", "role")


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
