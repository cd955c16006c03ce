"""A higher approval limit is proposed too, and its proposal holds the amount.

Revision ID: 0047
Revises: 0046
Create Date: 2026-11-28 12:05:00

"""

import sqlalchemy as sa
from alembic import op

import panel.db

# revision identifiers, used by Alembic.
revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = panel.db.UtcDateTime(timezone=True)

MONEY = "'credit', 'debit', 'top_up'"
KINDS = f"{MONEY}, 'disable', 'enable', 'make_operator', 'make_customer'"
BEFORE = {"amount": f"(kind IN ({MONEY})) = (amount_nanos > 0)", "kind": f"kind IN ({KINDS})"}
AFTER = {
    "amount": f"(kind IN ({MONEY}, 'approval_limit')) = (amount_nanos > 0)",
    "kind": f"kind IN ({KINDS}, 'approval_limit')",
}
COLUMNS = (
    "id, kind, state, customer_id, amount_nanos, reason, form_key, top_up_id, proposed_by, proposed_at, expires_at, "
    "decided_by, decided_at, decider, answer, transfer_id, role"
)


def upgrade() -> None:
    _replace_checks(BEFORE, AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM proposals WHERE kind = 'approval_limit'")
    _replace_checks(AFTER, BEFORE)


def _replace_checks(before: dict[str, str], after: dict[str, str]) -> None:
    """Other CHECKs for `proposals`. SQLite can't change one, so the table is made again; it has no triggers."""
    if op.get_bind().dialect.name != "sqlite":
        for name in before:
            op.drop_constraint(op.f(f"ck_proposals_{name}"), "proposals", type_="check")
        for name, rule in after.items():
            op.create_check_constraint(op.f(f"ck_proposals_{name}"), "proposals", sa.text(rule))
        return
    op.drop_index("uq_proposals_top_up", table_name="proposals")
    op.drop_index(op.f("ix_proposals_customer_id"), table_name="proposals")
    op.rename_table("proposals", "proposals_before")
    _create(after)
    op.execute(f"INSERT INTO proposals ({COLUMNS}) SELECT {COLUMNS} FROM proposals_before")
    op.drop_table("proposals_before")


def _create(checks: dict[str, str]) -> None:
    op.create_table(
        "proposals",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("customer_id", WHOLE, nullable=False),
        sa.Column("amount_nanos", WHOLE, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("form_key", sa.Text(), nullable=False),
        sa.Column("top_up_id", WHOLE, nullable=True),
        sa.Column("proposed_by", WHOLE, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("decided_by", WHOLE, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decider", sa.Text(), server_default="", nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("transfer_id", WHOLE, nullable=True),
        sa.Column("role", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("amount_nanos >= 0", name=op.f("ck_proposals_amount_not_negative")),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_proposals_{name}")) for name, rule in checks.items()),
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
