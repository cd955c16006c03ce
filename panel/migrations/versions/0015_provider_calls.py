"""Provider calls: unclear hand-overs counted, turns of customers, stops asked a few times, ended orders asked about.

Revision ID: 0015
Revises: 0014
Create Date: 2026-11-27 11:30:00

"""

import sqlalchemy as sa
from alembic import op

import panel.db

# revision identifiers, used by Alembic.
revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = panel.db.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.add_column("providers", sa.Column("unclear_adds", WHOLE, server_default="0", nullable=False))
    op.add_column("providers", sa.Column("add_after", MOMENT, nullable=True))
    op.add_column("cancellations", sa.Column("asks", WHOLE, server_default="0", nullable=False))
    op.add_column("orders", sa.Column("recheck_at", MOMENT, nullable=True))
    _index("ix_orders_turns", ["provider_id", "customer_id", "dispatch_at", "id"], "dispatch_at IS NOT NULL")
    _index("ix_orders_recheck", ["provider_id", "recheck_at"], "recheck_at IS NOT NULL")
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    lately = "datetime('now', '-30 days')" if is_sqlite else "now() - interval '30 days'"
    at_provider = "provider_order_id IS NOT NULL"
    op.execute(f"UPDATE orders SET recheck_at = ended_at WHERE ended_at > {lately} AND {at_provider}")


def downgrade() -> None:
    op.drop_index("ix_orders_recheck", table_name="orders")
    op.drop_index("ix_orders_turns", table_name="orders")
    op.drop_column("orders", "recheck_at")
    op.drop_column("cancellations", "asks")
    op.drop_column("providers", "add_after")
    op.drop_column("providers", "unclear_adds")


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "orders", columns, unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
