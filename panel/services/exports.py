"""The books as plain rows: everything that another program needs to check orders and money again."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from panel.db import Base, db, table_of
from panel.models import Account, Attempt, Event, Order, Refill, Transfer

ROWS_AT_ONCE = 1000

KINDS: tuple[tuple[str, type[Base]], ...] = (
    ("account", Account),
    ("order", Order),
    ("attempt", Attempt),
    ("transfer", Transfer),
    ("event", Event),
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
    found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table).order_by(table.c.id))
    for row in found.mappings():
        # A column that is called `kind` itself becomes `transfer_kind`, `event_kind` and so on.
        columns = {f"{kind}_kind" if name == "kind" else str(name): value for name, value in row.items()}
        yield {"kind": kind} | {name: _plain(value) for name, value in columns.items()}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
