"""Telegram chats of customers: codes that link one, the bot's name, and which notifications go there.

Revision ID: 0056
Revises: 0055
Create Date: 2026-11-28 15:05:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("users", sa.Column("telegram_blocked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("users", sa.Column("telegram_off", sa.Text(), server_default="", nullable=False))
    with op.batch_alter_table("telegram_messages") as batch_op:
        batch_op.add_column(sa.Column("key", sa.Text(), nullable=True))
        batch_op.create_unique_constraint(op.f("uq_telegram_messages_key"), ["key"])
    op.create_table(
        "telegram_links",
        sa.Column("user_id", ID, autoincrement=False, nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_telegram_links_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_telegram_links")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_telegram_links_code_hash")),
    )
    op.create_table(
        "telegram_bot",
        sa.Column("id", ID, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("next_update", ID, nullable=False),
        sa.Column("call_after", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_telegram_bot")),
    )


def downgrade() -> None:
    op.drop_table("telegram_bot")
    op.drop_table("telegram_links")
    with op.batch_alter_table("telegram_messages") as batch_op:
        batch_op.drop_constraint(op.f("uq_telegram_messages_key"), type_="unique")
        batch_op.drop_column("key")
    op.drop_column("users", "telegram_off")
    op.drop_column("users", "telegram_blocked_at")
