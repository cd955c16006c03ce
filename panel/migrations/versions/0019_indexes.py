"""Indexes for panels with millions of orders: by provider and its number, by tool and status, by time, not completed.

About 180 bytes an order and its transfers on SQLite.

Revision ID: 0019
Revises: 0018
Create Date: 2026-11-27 19:45:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

NOT_COMPLETED = sa.text("status <> 'completed'")
HAS_NUMBER = sa.text("provider_order_id IS NOT NULL")


def upgrade() -> None:
    op.create_index("ix_orders_by_provider", "orders", ["provider_id", "id"])
    op.create_index("ix_orders_placed", "orders", ["placed_at"])
    op.create_index("ix_transfers_at", "transfers", ["at"])
    op.create_index("ix_orders_by_tool_and_status", "orders", ["customer_id", "tool_id", "status", "id"])
    op.create_index(
        "ix_orders_not_completed",
        "orders",
        ["status", "id"],
        sqlite_where=NOT_COMPLETED,
        postgresql_where=NOT_COMPLETED,
    )
    op.create_index(
        "ix_orders_provider_number",
        "orders",
        ["provider_id", "provider_order_id"],
        sqlite_where=HAS_NUMBER,
        postgresql_where=HAS_NUMBER,
    )


def downgrade() -> None:
    op.drop_index("ix_transfers_at", "transfers")
    for name in ("provider_number", "not_completed", "by_tool_and_status", "placed", "by_provider"):
        op.drop_index(f"ix_orders_{name}", "orders")
