"""The office: second operators, claims of hand work, disabled customers.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-23 06:15:00

"""

import sqlalchemy as sa
from alembic import op

import panel.db

# revision identifiers, used by Alembic.
revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("operator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("claimed_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("until", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["users.id"], name=op.f("fk_claims_operator_id_users")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_claims_order_id_orders")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_claims")),
    )
    # The lines about one thing are read together on its page.
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.create_index("ix_audit_log_subject", ["subject", "id"], unique=False)
    _people_and_terms()
    # The office asks every few seconds what is open; what was resolved only grows.
    op.create_index(
        "ix_reviews_open",
        "reviews",
        ["kind", "id"],
        unique=False,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_reviews_open", table_name="reviews")
    _without_people_and_terms()
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_log_subject")

    op.drop_table("claims")


def _people_and_terms() -> None:
    """Second operators, disabled customers, refused top-up requests, what is known of providers."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = panel.db.UtcDateTime(timezone=True)
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("disabled_at", moment, nullable=True))
        batch_op.add_column(sa.Column("disabled_reason", sa.Text(), server_default="", nullable=False))
    with op.batch_alter_table("top_ups", schema=None) as batch_op:
        batch_op.add_column(sa.Column("refused_at", moment, nullable=True))
        batch_op.add_column(sa.Column("refused_reason", sa.Text(), server_default="", nullable=False))
    with op.batch_alter_table("providers", schema=None) as batch_op:
        for name in ("public_name", "failure", "balance", "balance_problem"):
            batch_op.add_column(sa.Column(name, sa.Text(), server_default="", nullable=False))
        for name in ("answered_at", "failed_at", "balance_at", "balance_due_at"):
            batch_op.add_column(sa.Column(name, moment, nullable=True))
    op.create_index(
        "ix_transfers_adjustments",
        "transfers",
        ["order_id"],
        unique=False,
        sqlite_where=sa.text("kind = 'adjustment'"),
        postgresql_where=sa.text("kind = 'adjustment'"),
    )
    op.create_table(
        "proposals",
        sa.Column("id", number, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("customer_id", number, nullable=False),
        sa.Column("amount_nanos", number, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("form_key", sa.Text(), nullable=False),
        sa.Column("top_up_id", number, nullable=True),
        sa.Column("proposed_by", number, nullable=False),
        sa.Column("proposed_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("decided_by", number, nullable=True),
        sa.Column("decided_at", moment, nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("transfer_id", number, nullable=True),
        sa.CheckConstraint("amount_nanos > 0", name=op.f("ck_proposals_amount_positive")),
        sa.CheckConstraint("kind IN ('credit', 'debit', 'top_up')", name=op.f("ck_proposals_kind")),
        sa.CheckConstraint("state IN ('open', 'confirmed', 'refused', 'expired')", name=op.f("ck_proposals_state")),
        sa.CheckConstraint("decided_by IS NULL OR decided_by <> proposed_by", name=op.f("ck_proposals_two_operators")),
        sa.CheckConstraint("(kind = 'top_up') = (top_up_id IS NOT NULL)", name=op.f("ck_proposals_top_up")),
        sa.ForeignKeyConstraint(["customer_id"], ["users.id"], name=op.f("fk_proposals_customer_id_users")),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name=op.f("fk_proposals_decided_by_users")),
        sa.ForeignKeyConstraint(["proposed_by"], ["users.id"], name=op.f("fk_proposals_proposed_by_users")),
        sa.ForeignKeyConstraint(["top_up_id"], ["top_ups.id"], name=op.f("fk_proposals_top_up_id_top_ups")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_proposals_transfer_id_transfers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
        sa.UniqueConstraint("form_key", name=op.f("uq_proposals_form_key")),
    )
    op.create_index(op.f("ix_proposals_customer_id"), "proposals", ["customer_id"], unique=False)
    op.create_index(
        "uq_proposals_top_up",
        "proposals",
        ["top_up_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _without_people_and_terms() -> None:
    op.drop_table("proposals")
    op.drop_index("ix_transfers_adjustments", table_name="transfers")
    with op.batch_alter_table("providers", schema=None) as batch_op:
        for name in ("answered_at", "failed_at", "balance_at", "balance_due_at"):
            batch_op.drop_column(name)
        for name in ("public_name", "failure", "balance", "balance_problem"):
            batch_op.drop_column(name)
    with op.batch_alter_table("top_ups", schema=None) as batch_op:
        batch_op.drop_column("refused_reason")
        batch_op.drop_column("refused_at")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_column("disabled_reason")
        batch_op.drop_column("disabled_at")
