"""Daily sums of the whole ledger, which the worker continues; the transfers that are there are summed here.

Revision ID: 0062
Revises: 0061
Create Date: 2026-11-28 18:40:00

"""

import click
import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TRANSFERS_AT_ONCE = 200_000

GROUP = ("day", "kind", "source", "target", "is_test")
DAY = {"sqlite": "date(at)", "postgresql": "(at AT TIME ZONE 'UTC')::date"}
TESTERS = "(SELECT id FROM users WHERE email = 'canary' UNION ALL SELECT user_id FROM api_test_customers)"
IS_TEST = (
    f"(coalesce(source.user_id IN {TESTERS}, false) OR coalesce(target.user_id IN {TESTERS}, false) OR EXISTS (SELECT 1 "
    f"FROM orders WHERE orders.id = transfers.order_id AND orders.customer_id IN {TESTERS}))"
)
INSERT = f"""
INSERT INTO ledger_days ({", ".join(GROUP)}, lines, amount_units, amount_nanos, first_id, last_id)
SELECT {{day}}, transfers.kind, source.kind, target.kind, {IS_TEST}, count(*), sum(amount_nanos / 1000000000),
    sum(amount_nanos % 1000000000), min(transfers.id), max(transfers.id)
FROM transfers JOIN accounts AS source ON source.id = from_account_id JOIN accounts AS target ON target.id = to_account_id
WHERE transfers.id > :after AND transfers.id <= :until
GROUP BY 1, 2, 3, 4, 5
ON CONFLICT ({", ".join(GROUP)}) DO UPDATE SET
    lines = ledger_days.lines + excluded.lines,
    amount_units = ledger_days.amount_units + excluded.amount_units,
    amount_nanos = ledger_days.amount_nanos + excluded.amount_nanos,
    first_id = CASE WHEN excluded.first_id < ledger_days.first_id THEN excluded.first_id ELSE ledger_days.first_id END,
    last_id = CASE WHEN excluded.last_id > ledger_days.last_id THEN excluded.last_id ELSE ledger_days.last_id END
"""


def upgrade() -> None:
    op.create_table(
        "ledger_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("lines", WHOLE, nullable=False),
        sa.Column("amount_units", WHOLE, nullable=False),
        sa.Column("amount_nanos", WHOLE, nullable=False),
        sa.Column("first_id", WHOLE, nullable=False),
        sa.Column("last_id", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint(*GROUP, name=op.f("pk_ledger_days")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_ledger_days_last_id", "ledger_days", ["last_id"])
    if op.get_bind().dialect.name == "postgresql":
        # Other writers may still be at work, and their transfers appear later with smaller ids.
        op.execute("LOCK TABLE transfers IN SHARE ROW EXCLUSIVE MODE")
    _sum_existing()


def downgrade() -> None:
    op.drop_table("ledger_days")


def _sum_existing() -> None:
    connection = op.get_bind()
    statement = sa.text(INSERT.format(day=DAY[connection.dialect.name]))
    newest = connection.execute(sa.text("SELECT max(id) FROM transfers")).scalar() or 0
    for after in range(0, newest, TRANSFERS_AT_ONCE):
        connection.execute(statement, {"after": after, "until": after + TRANSFERS_AT_ONCE})
        if newest > TRANSFERS_AT_ONCE:
            done = min(newest, after + TRANSFERS_AT_ONCE)
            click.echo(f"Daily sums of the ledger: {done:,} of {newest:,} transfers.", err=True)
