"""Alerts of operators: their state, which ones each operator doesn't want, and the low balance of each provider.

Revision ID: 0029
Revises: 0028
Create Date: 2026-11-28 03:00:00

"""

import sqlalchemy as sa
from alembic import op

from panel.db import UtcDateTime

# revision identifiers, used by Alembic.
revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KINDS = (
    "'audit', 'provider_stopped', 'provider_silent', 'provider_balance', 'unconfirmed', 'payment', 'review', "
    "'deposit', 'ticket', 'approval', 'incident'"
)


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("began_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("notified_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("notified_count", ID, nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_alerts_kind")),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_alerts")),
    )
    op.add_column("users", sa.Column("alerts_off", sa.Text(), server_default="", nullable=False))
    op.add_column("providers", sa.Column("balance_low_nanos", ID, nullable=True))


def downgrade() -> None:
    op.drop_column("providers", "balance_low_nanos")
    op.drop_column("users", "alerts_off")
    op.drop_table("alerts")
