"""Tool routes: further providers of a tool, which take the orders that its own one proved not to have.

Revision ID: 0037
Revises: 0036
Create Date: 2026-11-28 08:40:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "tool_routes",
        sa.Column("id", ID, nullable=False),
        sa.Column("tool_id", ID, nullable=False),
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("rate_micros", ID, nullable=True),
        sa.Column("position", ID, nullable=False),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name=op.f("fk_tool_routes_provider_id_providers")),
        sa.ForeignKeyConstraint(["tool_id"], ["tools.id"], name=op.f("fk_tool_routes_tool_id_tools")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tool_routes")),
        sa.UniqueConstraint("tool_id", "provider_id", name=op.f("uq_tool_routes_tool_id_provider_id")),
    )
    op.add_column("tools", sa.Column("is_cheapest_first", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("tools", "is_cheapest_first")
    op.drop_table("tool_routes")
