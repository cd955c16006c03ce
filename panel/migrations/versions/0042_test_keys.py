"""Test keys: a third scope of API keys, and the account of an owner's test orders.

Revision ID: 0042
Revises: 0041
Create Date: 2026-11-28 11:10:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = "ck_api_keys_scope"


def _allow(scopes: str) -> None:
    with op.batch_alter_table("api_keys") as batch_op:
        batch_op.drop_constraint(op.f(NAME), type_="check")
        batch_op.create_check_constraint(op.f(NAME), f"scope IN ({scopes})")


def upgrade() -> None:
    _allow("'read', 'order', 'test'")
    op.create_table(
        "api_test_customers",
        sa.Column("user_id", ID, autoincrement=False, nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_test_customers_user_id_users")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_api_test_customers_owner_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_api_test_customers")),
        sa.UniqueConstraint("owner_id", name=op.f("uq_api_test_customers_owner_id")),
    )


def downgrade() -> None:
    op.drop_table("api_test_customers")
    op.execute("DELETE FROM api_keys WHERE scope = 'test'")
    _allow("'read', 'order'")
