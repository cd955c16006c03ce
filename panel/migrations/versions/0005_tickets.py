"""Tickets: threads between customers and operators.

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-23 06:15:00

"""

import sqlalchemy as sa
from alembic import op

import panel.db


# revision identifiers, used by Alembic.
revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "canned_answers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("changed_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_answers")),
        sa.UniqueConstraint("name", name=op.f("uq_canned_answers_name")),
    )

    op.create_table(
        "tickets",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("refill_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("transfer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("waits_since", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("assignee_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("opened_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("first_answer_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('order', 'money', 'account', 'other')", name=op.f("ck_tickets_kind")),
        sa.CheckConstraint("state IN ('waiting_for_us', 'waiting_for_you', 'closed')", name=op.f("ck_tickets_state")),
        sa.ForeignKeyConstraint(["assignee_id"], ["users.id"], name=op.f("fk_tickets_assignee_id_users")),
        sa.ForeignKeyConstraint(["customer_id"], ["users.id"], name=op.f("fk_tickets_customer_id_users")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_tickets_order_id_orders")),
        sa.ForeignKeyConstraint(["refill_id"], ["refills.id"], name=op.f("fk_tickets_refill_id_refills")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_tickets_transfer_id_transfers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
        sa.UniqueConstraint("customer_id", "request_id", name=op.f("uq_tickets_customer_id_request_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.create_index("ix_tickets_first_answer", ["first_answer_at"], unique=False)
        batch_op.create_index("ix_tickets_of_customer", ["customer_id", "last_at", "id"], unique=False)
        batch_op.create_index("ix_tickets_of_order", ["order_id"], unique=False)
        batch_op.create_index(
            "ix_tickets_queue",
            ["state", "waits_since", "id"],
            unique=False,
            sqlite_where=sa.text("state <> 'closed'"),
            postgresql_where=sa.text("state <> 'closed'"),
        )

    op.create_table(
        "ticket_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("author_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("is_ours", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('message', 'note', 'closed', 'reopened')", name=op.f("ck_ticket_entries_kind")),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_ticket_entries_author_id_users")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_entries_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_entries")),
        sa.UniqueConstraint("ticket_id", "number", name=op.f("uq_ticket_entries_ticket_id_number")),
        sa.UniqueConstraint("ticket_id", "request_id", name=op.f("uq_ticket_entries_ticket_id_request_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("ticket_entries", schema=None) as batch_op:
        batch_op.create_index("ix_ticket_entries_of_author", ["author_id", "at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("ticket_entries", schema=None) as batch_op:
        batch_op.drop_index("ix_ticket_entries_of_author")

    op.drop_table("ticket_entries")
    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_tickets_queue",
            sqlite_where=sa.text("state <> 'closed'"),
            postgresql_where=sa.text("state <> 'closed'"),
        )
        batch_op.drop_index("ix_tickets_of_order")
        batch_op.drop_index("ix_tickets_of_customer")
        batch_op.drop_index("ix_tickets_first_answer")

    op.drop_table("tickets")
    op.drop_table("canned_answers")
