"""Order forms: a type and own fields in terms, the values of an order's fields, and which orders are packages.

Revision ID: 0030
Revises: 0029
Create Date: 2026-11-28 02:40:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
RULE = "quantity_rule IN ('', 'by_quantity', 'fixed_package', 'one_a_line')"


def upgrade() -> None:
    op.add_column("terms", sa.Column("order_type", sa.Text(), server_default="Default", nullable=False))
    op.add_column("terms", sa.Column("own_fields", sa.Text(), server_default="", nullable=False))
    rule = sa.Column("quantity_rule", sa.Text(), server_default="", nullable=False)
    if op.get_bind().dialect.name == "sqlite":
        # A column is added with its CHECK, since SQLite can't add one to a table of append-only rows afterwards.
        op.execute(
            "ALTER TABLE terms ADD COLUMN quantity_rule TEXT DEFAULT '' NOT NULL "
            f"CONSTRAINT ck_terms_quantity_rule CHECK ({RULE})"
        )
    else:
        op.add_column("terms", rule)
        op.create_check_constraint(op.f("ck_terms_quantity_rule"), "terms", RULE)
    op.add_column("orders", sa.Column("is_package", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "order_fields",
        sa.Column("id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_fields_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_fields")),
        sa.UniqueConstraint("order_id", "name", name=op.f("uq_order_fields_order_id_name")),
    )


def downgrade() -> None:
    op.drop_table("order_fields")
    op.drop_column("orders", "is_package")
    op.drop_column("terms", "quantity_rule")
    op.drop_column("terms", "own_fields")
    op.drop_column("terms", "order_type")
