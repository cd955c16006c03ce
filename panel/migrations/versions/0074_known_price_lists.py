"""Known price lists are stored once, not for each customer of a price group.

Revision ID: 0074
Revises: 0069
Create Date: 2026-11-29 02:00:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0074"
down_revision = "0069"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.execute("CREATE TABLE known_prices_before AS SELECT user_id, prices FROM known_prices")
    op.drop_table("known_prices")
    op.create_table(
        "known_price_lists",
        sa.Column("id", ID, nullable=False),
        sa.Column("prices", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_price_lists")),
    )
    op.create_table(
        "known_prices",
        sa.Column("user_id", ID, autoincrement=False, nullable=False),
        sa.Column("list_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_known_prices_user_id_users")),
        sa.ForeignKeyConstraint(
            ["list_id"], ["known_price_lists.id"], name=op.f("fk_known_prices_list_id_known_price_lists")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_known_prices")),
    )
    op.create_index(op.f("ix_known_prices_list_id"), "known_prices", ["list_id"])
    op.execute("INSERT INTO known_price_lists (prices) SELECT DISTINCT prices FROM known_prices_before")
    op.execute(
        "INSERT INTO known_prices (user_id, list_id) SELECT user_id, known_price_lists.id "
        "FROM known_prices_before JOIN known_price_lists ON known_price_lists.prices = known_prices_before.prices"
    )
    op.drop_table("known_prices_before")


def downgrade() -> None:
    op.execute(
        "CREATE TABLE known_prices_before AS SELECT user_id, known_price_lists.prices AS prices "
        "FROM known_prices JOIN known_price_lists ON known_price_lists.id = list_id"
    )
    op.drop_table("known_prices")
    op.drop_table("known_price_lists")
    op.create_table(
        "known_prices",
        sa.Column("user_id", ID, autoincrement=False, nullable=False),
        sa.Column("prices", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_known_prices_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_known_prices")),
    )
    op.execute("INSERT INTO known_prices (user_id, prices) SELECT user_id, prices FROM known_prices_before")
    op.drop_table("known_prices_before")
