"""Approvals: what was moved without a second operator is counted, and access changes are proposals too.

Revision ID: 0016
Revises: 0015
Create Date: 2026-11-27 12:45:00

"""

import sqlalchemy as sa
from alembic import op

import panel.db

# revision identifiers, used by Alembic.
revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = panel.db.UtcDateTime(timezone=True)

MONEY = "'credit', 'debit', 'top_up'"
KINDS = {"kind": f"kind IN ({MONEY}, 'disable', 'enable', 'make_operator', 'make_customer')"}
AMOUNTS = {"amount_not_negative": "amount_nanos >= 0", "amount": f"(kind IN ({MONEY})) = (amount_nanos > 0)"}
KINDS_BEFORE = {"kind": f"kind IN ({MONEY})"}
AMOUNTS_BEFORE = {"amount_positive": "amount_nanos > 0"}
COLUMNS = (
    "id, kind, state, customer_id, amount_nanos, reason, form_key, top_up_id, proposed_by, proposed_at, expires_at, "
    "decided_by, decided_at, answer, transfer_id"
)


def upgrade() -> None:
    op.create_table(
        "unapproved_transfers",
        sa.Column("transfer_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("customer_id", WHOLE, nullable=False),
        sa.Column("operator_id", WHOLE, nullable=True),
        sa.Column("amount_nanos", WHOLE, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("amount_nanos > 0", name=op.f("ck_unapproved_transfers_amount_positive")),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.id"], name=op.f("fk_unapproved_transfers_transfer_id_transfers")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["users.id"], name=op.f("fk_unapproved_transfers_customer_id_users")),
        sa.ForeignKeyConstraint(["operator_id"], ["users.id"], name=op.f("fk_unapproved_transfers_operator_id_users")),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_unapproved_transfers")),
    )
    op.create_index("ix_unapproved_transfers_customer", "unapproved_transfers", ["customer_id", "at"], unique=False)
    op.create_index("ix_unapproved_transfers_operator", "unapproved_transfers", ["operator_id", "at"], unique=False)
    op.add_column("proposals", sa.Column("decider", sa.Text(), server_default="", nullable=False))
    _replace_checks(
        {**KINDS_BEFORE, **AMOUNTS_BEFORE}, {**AMOUNTS, **KINDS}, [sa.Column("decider", sa.Text(), server_default="")]
    )


def downgrade() -> None:
    op.execute(f"DELETE FROM proposals WHERE kind NOT IN ({MONEY})")
    op.drop_column("proposals", "decider")
    _replace_checks({**KINDS, **AMOUNTS}, {**AMOUNTS_BEFORE, **KINDS_BEFORE}, [])
    op.drop_table("unapproved_transfers")


def _replace_checks(before: dict[str, str], after: dict[str, str], added: list[sa.Column[str]]) -> None:
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
    _create(after, added)
    names = ", ".join([COLUMNS, *(column.name for column in added)])
    op.execute(f"INSERT INTO proposals ({names}) SELECT {names} FROM proposals_before")
    op.drop_table("proposals_before")


def _create(checks: dict[str, str], added: list[sa.Column[str]]) -> None:
    for column in added:
        column.nullable = False
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
        *added,
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("transfer_id", WHOLE, nullable=True),
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
