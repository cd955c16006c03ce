"""An index of emails by bytes, which finds those that begin with a text; where a stopped audit goes on.

Revision ID: 0063
Revises: 0062
Create Date: 2026-11-28 18:50:00

"""

import sqlalchemy as sa
from alembic import op

from panel.db import UtcDateTime

# revision identifiers, used by Alembic.
revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_progress",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("began_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("seen_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_progress")),
    )
    op.create_index("ix_users_email_bytes", "users", ["email"], postgresql_ops={"email": "text_pattern_ops"})


def downgrade() -> None:
    op.drop_index("ix_users_email_bytes", table_name="users")
    op.drop_table("audit_progress")
