"""Alerts: one more kind, of catalogue changes that need an operator.

Revision ID: 0036
Revises: 0035
Create Date: 2026-11-28 08:00:00

"""

import sqlalchemy as sa
from alembic import op

from panel.db import UtcDateTime

# revision identifiers, used by Alembic.
revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BEFORE = (
    "audit",
    "provider_stopped",
    "provider_silent",
    "provider_balance",
    "unconfirmed",
    "payment",
    "review",
    "deposit",
    "ticket",
    "approval",
    "incident",
)


def upgrade() -> None:
    _make_again((*BEFORE[:7], "catalogue", *BEFORE[7:]))


def downgrade() -> None:
    op.execute("DELETE FROM alerts WHERE kind = 'catalogue'")
    _make_again(BEFORE)


def _make_again(kinds: tuple[str, ...]) -> None:
    """The table has a row a kind at most, so it is made again with its rows: SQLite can't change a CHECK."""
    words = ", ".join(f"'{kind}'" for kind in kinds)
    columns = (
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("began_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("notified_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("notified_count", ID, nullable=False),
    )
    before = sa.table("alerts", *(sa.column(column.name, column.type) for column in columns))
    rows = [dict(row) for row in op.get_bind().execute(sa.select(before)).mappings()]
    op.drop_table("alerts")
    table = op.create_table(
        "alerts",
        *columns,
        sa.CheckConstraint(f"kind IN ({words})", name=op.f("ck_alerts_kind")),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_alerts")),
    )
    op.bulk_insert(table, rows)
