"""Telegram: the chat of each operator who wants alerts there, and the messages to send.

Revision ID: 0033
Revises: 0032
Create Date: 2026-11-28 03:30:00

"""

import sqlalchemy as sa
from alembic import op

from panel.db import UtcDateTime

# revision identifiers, used by Alembic.
revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("users", sa.Column("telegram_chat", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "telegram_messages",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("queued_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("due_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("tries", ID, nullable=False),
        sa.Column("sent_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_telegram_messages_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_telegram_messages")),
    )
    op.create_index(op.f("ix_telegram_messages_user_id"), "telegram_messages", ["user_id"])
    due = sa.text("due_at IS NOT NULL")
    op.create_index("ix_telegram_messages_due", "telegram_messages", ["due_at"], sqlite_where=due, postgresql_where=due)


def downgrade() -> None:
    op.drop_table("telegram_messages")
    op.drop_column("users", "telegram_chat")
