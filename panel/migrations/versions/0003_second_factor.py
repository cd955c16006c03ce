"""Second factor: the sealed secret of an account, and which signed-in devices have shown it.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-23 06:15:00

"""

import sqlalchemy as sa
from alembic import op

import panel.db

# revision identifiers, used by Alembic.
revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sealed_totp", sa.Text(), server_default="", nullable=False))
    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("second_factor_at", panel.db.UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.drop_column("second_factor_at")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_column("sealed_totp")
