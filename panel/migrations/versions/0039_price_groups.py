"""Price groups: a discount or fixed prices for some customers.

Revision ID: 0039
Revises: 0038
Create Date: 2026-11-28 08:58:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "price_groups",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("discount_basis_points", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("discount_basis_points BETWEEN 0 AND 9999", name=op.f("ck_price_groups_discount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_groups")),
        sa.UniqueConstraint("name", name=op.f("uq_price_groups_name")),
    )
    op.create_table(
        "group_prices",
        sa.Column("id", ID, nullable=False),
        sa.Column("group_id", ID, nullable=False),
        sa.Column("tool_id", ID, nullable=False),
        sa.Column("price_micros_per_thousand", ID, nullable=False),
        sa.Column("is_package", sa.Boolean(), nullable=False),
        sa.CheckConstraint("price_micros_per_thousand > 0", name=op.f("ck_group_prices_price_positive")),
        sa.ForeignKeyConstraint(["group_id"], ["price_groups.id"], name=op.f("fk_group_prices_group_id_price_groups")),
        sa.ForeignKeyConstraint(["tool_id"], ["tools.id"], name=op.f("fk_group_prices_tool_id_tools")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_prices")),
        sa.UniqueConstraint("group_id", "tool_id", name=op.f("uq_group_prices_group_id_tool_id")),
    )
    op.create_table(
        "group_members",
        sa.Column("user_id", ID, autoincrement=False, nullable=False),
        sa.Column("group_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_group_members_user_id_users")),
        sa.ForeignKeyConstraint(["group_id"], ["price_groups.id"], name=op.f("fk_group_members_group_id_price_groups")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_group_members")),
    )
    op.create_index(op.f("ix_group_members_group_id"), "group_members", ["group_id"])


def downgrade() -> None:
    op.drop_table("group_members")
    op.drop_table("group_prices")
    op.drop_table("price_groups")
