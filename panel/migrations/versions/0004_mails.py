"""Mails: what is to be sent, to whom, the links in them, and which notices a customer wants.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-23 06:15:00

"""

import sqlalchemy as sa
from alembic import op

import panel.db

# revision identifiers, used by Alembic.
revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = panel.db.UtcDateTime(timezone=True)
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("email_confirmed_at", moment, nullable=True))
        batch_op.add_column(sa.Column("notices_off", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("noticed_at", moment, nullable=True))
    # Operators were added by command. Customers signed up before anybody asked them to confirm.
    op.execute("UPDATE users SET email_confirmed_at = created_at WHERE is_operator")
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("notice_at", moment, nullable=True))
    op.create_index(
        "ix_orders_notice",
        "orders",
        ["customer_id"],
        unique=False,
        sqlite_where=sa.text("notice_at IS NOT NULL"),
        postgresql_where=sa.text("notice_at IS NOT NULL"),
    )

    op.create_table(
        "mails",
        sa.Column("id", number, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", number, nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("is_sealed", sa.Boolean(), nullable=False),
        sa.Column("unsubscribe", sa.Text(), nullable=False),
        sa.Column("queued_at", moment, nullable=False),
        sa.Column("rank", number, nullable=False),
        sa.Column("due_at", moment, nullable=True),
        sa.Column("tries", number, nullable=False),
        sa.Column("sent_at", moment, nullable=True),
        sa.Column("given_up_at", moment, nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mails_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("key", name=op.f("uq_mails_key")),
    )
    op.create_index(op.f("ix_mails_user_id"), "mails", ["user_id"], unique=False)
    op.create_index(op.f("ix_mails_sent_at"), "mails", ["sent_at"], unique=False)
    op.create_index(op.f("ix_mails_given_up_at"), "mails", ["given_up_at"], unique=False)
    op.create_index(
        "ix_mails_due",
        "mails",
        ["rank", "due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )

    op.create_table(
        "mailed_links",
        sa.Column("id", number, nullable=False),
        sa.Column("user_id", number, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=True),
        sa.CheckConstraint("purpose IN ('reset', 'confirm')", name=op.f("ck_mailed_links_purpose")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mailed_links_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailed_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_mailed_links_token_hash")),
    )
    op.create_index(op.f("ix_mailed_links_user_id"), "mailed_links", ["user_id"], unique=False)
    op.create_index(op.f("ix_mailed_links_expires_at"), "mailed_links", ["expires_at"], unique=False)

    op.create_table(
        "reset_requests",
        sa.Column("id", number, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reset_requests")),
    )

    op.create_table(
        "email_changes",
        sa.Column("id", number, nullable=False),
        sa.Column("user_id", number, nullable=False),
        sa.Column("old_email", sa.Text(), nullable=False),
        sa.Column("new_email", sa.Text(), nullable=False),
        sa.Column("old_token_hash", sa.Text(), nullable=True),
        sa.Column("new_token_hash", sa.Text(), nullable=True),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("old_opened_at", moment, nullable=True),
        sa.Column("new_opened_at", moment, nullable=True),
        sa.Column("ended_at", moment, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_email_changes_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_changes")),
        sa.UniqueConstraint("new_token_hash", name=op.f("uq_email_changes_new_token_hash")),
        sa.UniqueConstraint("old_token_hash", name=op.f("uq_email_changes_old_token_hash")),
    )
    op.create_index(op.f("ix_email_changes_user_id"), "email_changes", ["user_id"], unique=False)
    op.create_index(op.f("ix_email_changes_expires_at"), "email_changes", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("email_changes")
    op.drop_table("reset_requests")
    op.drop_table("mailed_links")
    op.drop_table("mails")
    op.drop_index("ix_orders_notice", table_name="orders")
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_column("notice_at")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_column("noticed_at")
        batch_op.drop_column("notices_off")
        batch_op.drop_column("email_confirmed_at")
