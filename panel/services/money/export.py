"""Ledger export as plain rows, with everything another program needs to verify orders and money.

The panel's own test orders are left out together with their money, so that the rest still adds up.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, false, func, not_, select

from panel.db import Base, db, table_of
from panel.models import Account, Attempt, Order, OrderEvent, OrderField, OrderRun, Refill, Transfer
from panel.services import test_orders

ROWS_AT_ONCE = 1000

KINDS: tuple[tuple[str, type[Base]], ...] = (
    ("account", Account),
    ("order", Order),
    ("attempt", Attempt),
    ("transfer", Transfer),
    ("event", OrderEvent),
    ("refill", Refill),
    ("order_field", OrderField),
    ("order_run", OrderRun),
)


def rows() -> Iterator[dict[str, Any]]:
    """All rows of all kinds from one snapshot, each with its `kind` and its columns; times are ISO 8601."""
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
        # A column named `kind` becomes `transfer_kind`, `event_kind` and so on.
        columns = {f"{kind}_kind" if name == "kind" else str(name): value for name, value in row.items()}
        yield {"kind": kind} | {name: _plain(value) for name, value in columns.items()}


def _is_own(table: Table) -> ColumnElement[bool]:
    if "user_id" in table.c:
        return func.coalesce(table.c.user_id.in_(test_orders.customer_ids()), false())
    if "from_account_id" in table.c:
        return test_orders.is_transfer(table)
    return test_orders.is_order(table.c.id if table is table_of(Order) else table.c.order_id)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
