"""Daily sums of customers' accounts, kept by a trigger on transfers; the transfers that are there are summed here.

Revision ID: 0020
Revises: 0019
Create Date: 2026-11-27 23:00:00

"""

import click
import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TRANSFERS_AT_ONCE = 200_000

ADD = """
ON CONFLICT (account_id, day) DO UPDATE SET
    entries = account_days.entries + excluded.entries,
    in_nanos = account_days.in_nanos + excluded.in_nanos,
    out_nanos = account_days.out_nanos + excluded.out_nanos,
    first_id = CASE WHEN excluded.first_id < account_days.first_id THEN excluded.first_id ELSE account_days.first_id END,
    last_id = CASE WHEN excluded.last_id > account_days.last_id THEN excluded.last_id ELSE account_days.last_id END
"""
INSERT = "INSERT INTO account_days (account_id, day, entries, in_nanos, out_nanos, first_id, last_id)"
# SQLite runs a trigger for each row. The amount counts on the side of the transfer that the account is on.
ON_SQLITE = f"""
CREATE TRIGGER transfers_sum_days AFTER INSERT ON transfers BEGIN
    {INSERT}
    SELECT id, date(NEW.at), 1,
        CASE WHEN id = NEW.to_account_id THEN NEW.amount_nanos ELSE 0 END,
        CASE WHEN id = NEW.from_account_id THEN NEW.amount_nanos ELSE 0 END,
        NEW.id, NEW.id
    FROM accounts WHERE id IN (NEW.from_account_id, NEW.to_account_id) AND user_id IS NOT NULL
    {ADD};
END
"""
SUMS = """
SELECT account_id, day, count(*), sum(in_nanos), sum(out_nanos), min(id), max(id)
FROM (
    SELECT id, to_account_id AS account_id, {day} AS day, amount_nanos AS in_nanos, 0 AS out_nanos
    FROM {transfers} AS moved {where}
    UNION ALL
    SELECT id, from_account_id, {day}, 0, amount_nanos FROM {transfers} AS moved {where}
) AS sides
WHERE account_id IN (SELECT id FROM accounts WHERE user_id IS NOT NULL)
GROUP BY account_id, day
"""
DAY = {"sqlite": "date(at)", "postgresql": "(at AT TIME ZONE 'UTC')::date"}
# One statement for all rows of an INSERT, so that many of one day change their row once.
FUNCTION = f"""
CREATE FUNCTION panel_sum_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {INSERT} {SUMS.format(day=DAY["postgresql"], transfers="added", where="")} {ADD};
    RETURN NULL;
END $$
"""
ON_POSTGRESQL = (
    "CREATE TRIGGER transfers_sum_days AFTER INSERT ON transfers REFERENCING NEW TABLE AS added "
    "FOR EACH STATEMENT EXECUTE FUNCTION panel_sum_days()"
)


def upgrade() -> None:
    op.create_table(
        "account_days",
        sa.Column("account_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("entries", WHOLE, nullable=False),
        sa.Column("in_nanos", WHOLE, nullable=False),
        sa.Column("out_nanos", WHOLE, nullable=False),
        sa.Column("first_id", WHOLE, nullable=False),
        sa.Column("last_id", WHOLE, nullable=False),
        sa.CheckConstraint("entries > 0", name=op.f("ck_account_days_entries")),
        sa.CheckConstraint("in_nanos BETWEEN 0 AND 9000000000000000000", name=op.f("ck_account_days_in_nanos")),
        sa.CheckConstraint("out_nanos BETWEEN 0 AND 9000000000000000000", name=op.f("ck_account_days_out_nanos")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_days_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", "day", name=op.f("pk_account_days")),
        sqlite_with_rowid=False,
    )
    # The trigger comes first: on PostgreSQL making it keeps other transfers out until this revision is committed.
    if op.get_bind().dialect.name == "sqlite":
        op.execute(ON_SQLITE)
    else:
        op.execute(FUNCTION)
        op.execute(ON_POSTGRESQL)
    _sum_existing()


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER transfers_sum_days")
    else:
        op.execute("DROP TRIGGER transfers_sum_days ON transfers")
        op.execute("DROP FUNCTION panel_sum_days()")
    op.drop_table("account_days")


def _sum_existing() -> None:
    connection = op.get_bind()
    sums = SUMS.format(
        day=DAY[connection.dialect.name], transfers="transfers", where="WHERE id > :after AND id <= :until"
    )
    statement = sa.text(f"{INSERT} {sums} {ADD}")
    newest = connection.execute(sa.text("SELECT max(id) FROM transfers")).scalar() or 0
    for after in range(0, newest, TRANSFERS_AT_ONCE):
        connection.execute(statement, {"after": after, "until": after + TRANSFERS_AT_ONCE})
        if newest > TRANSFERS_AT_ONCE:
            done = min(newest, after + TRANSFERS_AT_ONCE)
            click.echo(f"Daily sums: {done:,} of {newest:,} transfers.", err=True)
