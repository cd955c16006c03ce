"""Ledger export as plain rows: everything that another program needs to check orders and money again.

The panel's own test orders are left out, with their money and all that hangs on them: what is left still adds up.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, false, func, not_, select

from panel.db import Base, db, table_of
from panel.models import Account, Attempt, Order, OrderEvent, Refill, Transfer
from panel.services import test_orders

ROWS_AT_ONCE = 1000

KINDS: tuple[tuple[str, type[Base]], ...] = (
    ("account", Account),
    ("order", Order),
    ("attempt", Attempt),
    ("transfer", Transfer),
    ("event", OrderEvent),
    ("refill", Refill),
)


def rows() -> Iterator[dict[str, Any]]:
    """Every row of every kind, as of one moment, each with its `kind` and its columns; moments are ISO 8601."""
    engine = db.engine
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        for kind, model in KINDS:
            yield from _of_kind(connection, kind, model)


def _of_kind(connection: Connection, kind: str, model: type[Base]) -> Iterator[dict[str, Any]]:
    table = table_of(model)
    found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        select(table).where(not_(_is_own(table))).order_by(table.c.id)
    )
    for row in found.mappings():
        # A column that is called `kind` itself becomes `transfer_kind`, `event_kind` and so on.
        columns = {f"{kind}_kind" if name == "kind" else str(name): value for name, value in row.items()}
        yield {"kind": kind} | {name: _plain(value) for name, value in columns.items()}


def _is_own(table: Table) -> ColumnElement[bool]:
    if "user_id" in table.c:
        return table.c.user_id.is_not_distinct_from(test_orders.customer_id()) & table.c.user_id.is_not(None)
    if "from_account_id" in table.c:
        return func.coalesce(test_orders.is_own_transfer(table), false())
    return test_orders.is_own_order(table.c.id if table is table_of(Order) else table.c.order_id)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
