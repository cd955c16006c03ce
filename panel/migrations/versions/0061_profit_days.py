"""Daily sums for the profit report, kept by triggers on orders and their costs; the orders that are there are summed.

A trigger writes what changed into a log of its own (`profit_changes`), which the worker adds to `profit_days`: if each
order changed the sums of its day, all orders of a day would wait for one row.

Revision ID: 0061
Revises: 0060
Create Date: 2026-11-28 18:30:00

"""

from typing import Any

import click
import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ORDERS_AT_ONCE = 200_000

GROUP = ("day", "tool_id", "provider_id", "provider_service", "is_package")
# Each amount in two columns, whole units and the rest: 64 bits are few for a day's nanos.
AMOUNTS = ("revenue", "returned", "cost", "unknown_revenue", "unknown_quantity")
SUMS = ("orders", "unknown", *(f"{amount}_{part}" for amount in AMOUNTS for part in ("units", "nanos")))
COLUMNS = ", ".join((*GROUP, *SUMS))
DAY = {"sqlite": "date({at})", "postgresql": "({at} AT TIME ZONE 'UTC')::date"}
IS_OPEN = "{row}.status IN ('pending', 'processing', 'in_progress')"
IS_REAL = (
    "{row}.customer_id NOT IN (SELECT id FROM users WHERE email = 'canary' UNION ALL "
    "SELECT user_id FROM api_test_customers)"
)
# The columns that the sums depend on.
READ = (
    "status",
    "quantity",
    "remains",
    "charge_nanos",
    "returned_nanos",
    "tool_id",
    "provider_id",
    "provider_service",
    "is_package",
    "placed_at",
)


def values_of(row: str, cost: str, *, dialect: str, sign: int = 1, total: str = "{}") -> str:
    """What an order adds to the sums of its group, or takes from them; `total`: as a sum over many."""
    unknown = f"CASE WHEN {cost} IS NULL THEN {{}} ELSE 0 END"
    revenue = f"({row}.charge_nanos - {row}.returned_nanos)"
    delivered = f"(CASE WHEN {IS_OPEN.format(row=row)} THEN {row}.quantity ELSE {row}.quantity - {row}.remains END)"
    amounts = {
        "revenue": revenue,
        "returned": f"{row}.returned_nanos",
        "cost": f"COALESCE({cost}, 0)",
        "unknown_revenue": f"({unknown.format(revenue)})",
        "unknown_quantity": f"({unknown.format(delivered)})",
    }
    sums = ["1", unknown.format("1")]
    for name in AMOUNTS:
        sums += [f"({amounts[name]} / 1000000000)", f"({amounts[name]} % 1000000000)"]
    group = [DAY[dialect].format(at=f"{row}.placed_at"), *(f"{row}.{name}" for name in GROUP[1:])]
    return ", ".join((*group, *(total.format(f"{sign} * {each}") for each in sums)))


def log_of(*rows: tuple[str, str, int], dialect: str, order: str = "", where: str = "") -> str:
    """Statement that writes the changes of these rows: each with its cost, and whether it is added or taken away."""
    source = f" FROM {order} " if order else " "
    found = " UNION ALL ".join(
        f"SELECT {values_of(row, cost, dialect=dialect, sign=sign)}{source}{where.replace('{row}', row)}"
        for row, cost, sign in rows
    )
    return f"INSERT INTO profit_changes ({COLUMNS}) {found};"


def bodies(dialect: str) -> dict[str, tuple[str, str, str]]:
    """Of each trigger its event, its condition, and its statement."""
    known = "(SELECT cost_nanos FROM order_costs WHERE order_id = NEW.id)"
    real = f"WHERE {IS_REAL}"
    of_order = {"order": "orders AS sold", "dialect": dialect}
    gone, come = ("sold", "OLD.cost_nanos", -1), ("sold", "NEW.cost_nanos", 1)
    at_first, at_last = ("sold", "NULL", -1), ("sold", "NULL", 1)
    differs = "IS NOT" if dialect == "sqlite" else "IS DISTINCT FROM"
    changed = " OR ".join(f"OLD.{name} <> NEW.{name}" for name in READ if name not in ("status", "remains"))
    # While an order is open, its remains and which open status it has change nothing.
    both_open = f"{IS_OPEN.format(row='OLD')} AND {IS_OPEN.format(row='NEW')}"
    changed = f"{changed} OR (OLD.status <> NEW.status OR OLD.remains <> NEW.remains) AND NOT ({both_open})"
    return {
        "orders_profit_insert": ("INSERT ON orders", "", log_of(("NEW", known, 1), dialect=dialect, where=real)),
        "orders_profit_update": (
            f"UPDATE OF {', '.join(READ)} ON orders",
            changed,
            log_of(("OLD", known, -1), ("NEW", known, 1), dialect=dialect, where=real),
        ),
        "order_costs_profit_insert": (
            "INSERT ON order_costs",
            "NEW.cost_nanos IS NOT NULL",
            log_of(at_first, come, **of_order, where=f"{real} AND sold.id = NEW.order_id"),
        ),
        "order_costs_profit_update": (
            "UPDATE OF cost_nanos ON order_costs",
            f"OLD.cost_nanos {differs} NEW.cost_nanos",
            log_of(gone, come, **of_order, where=f"{real} AND sold.id = NEW.order_id"),
        ),
        "order_costs_profit_delete": (
            "DELETE ON order_costs",
            "OLD.cost_nanos IS NOT NULL",
            log_of(gone, at_last, **of_order, where=f"{real} AND sold.id = OLD.order_id"),
        ),
    }


ADD = f"ON CONFLICT ({', '.join(GROUP)}) DO UPDATE SET " + ", ".join(
    f"{name} = profit_days.{name} + excluded.{name}" for name in SUMS
)


def sums_of(dialect: str, where: str) -> str:
    """The sums of these orders by group."""
    values = values_of("sold", "order_costs.cost_nanos", dialect=dialect, total="sum({})")
    return (
        f"SELECT {values} FROM orders AS sold LEFT JOIN order_costs ON order_costs.order_id = sold.id "
        f"WHERE {IS_REAL.format(row='sold')} AND {where} GROUP BY 1, 2, 3, 4, 5"
    )


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("tool_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("provider_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("provider_service", sa.Text(), nullable=False),
        sa.Column("is_package", sa.Boolean(), nullable=False),
        *(sa.Column(name, WHOLE, nullable=False) for name in SUMS),
    ]


def upgrade() -> None:
    op.create_table(
        "profit_days",
        *_columns(),
        sa.PrimaryKeyConstraint(*GROUP, name=op.f("pk_profit_days")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "profit_changes",
        sa.Column("id", WHOLE, nullable=False),
        *_columns(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profit_changes")),
        sqlite_autoincrement=True,
    )
    # The triggers come first: on PostgreSQL making them keeps other orders out until this revision is committed.
    for name, (when, condition, statement) in bodies(op.get_bind().dialect.name).items():
        _create_trigger(name, when, condition, statement)
    _sum_existing()


def _create_trigger(name: str, when: str, condition: str, statement: str) -> None:
    if_so = f" WHEN ({condition})" if condition else ""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE TRIGGER {name} AFTER {when} FOR EACH ROW{if_so} BEGIN {statement} END")
        return
    op.execute(
        f"CREATE FUNCTION panel_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement} RETURN NULL; END $$"
    )
    op.execute(f"CREATE TRIGGER {name} AFTER {when} FOR EACH ROW{if_so} EXECUTE FUNCTION panel_{name}()")


def downgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for name, (when, _, _) in bodies(op.get_bind().dialect.name).items():
        table = when.rpartition(" ")[2]
        op.execute(f"DROP TRIGGER {name}" + ("" if is_sqlite else f" ON {table}"))
        if not is_sqlite:
            op.execute(f"DROP FUNCTION panel_{name}()")
    op.drop_table("profit_changes")
    op.drop_table("profit_days")


def _sum_existing() -> None:
    connection = op.get_bind()
    sums = sums_of(connection.dialect.name, "sold.id > :after AND sold.id <= :until")
    statement = sa.text(f"INSERT INTO profit_days ({COLUMNS}) {sums} {ADD}")
    newest = connection.execute(sa.text("SELECT max(id) FROM orders")).scalar() or 0
    for after in range(0, newest, ORDERS_AT_ONCE):
        connection.execute(statement, {"after": after, "until": after + ORDERS_AT_ONCE})
        if newest > ORDERS_AT_ONCE:
            done = min(newest, after + ORDERS_AT_ONCE)
            click.echo(f"Daily sums of profit: {done:,} of {newest:,} orders.", err=True)
