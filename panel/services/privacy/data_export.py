"""Data export tables, read in batches so that memory use doesn't depend on the number of rows; all values are text."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select

from panel.db import db
from panel.domain import money
from panel.domain.status import Status

ROWS_AT_ONCE = 500

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the export: name, description, column names and an iterator over its rows."""

    name: str
    about: str
    head: tuple[str, ...]
    rows: Callable[[], Iterator[Row]]


def table(name: str, about: str, statement: Select[*tuple[Any, ...]], *, key: Any = None) -> Table:
    """The table of this name for a statement, ordered by its key; without a key it has a single row."""
    head = tuple(column.name for column in statement.selected_columns)
    return Table(name, about, head, lambda: _read(statement, head, key))


def _read(statement: Select[*tuple[Any, ...]], head: Sequence[str], key: Any) -> Iterator[Row]:
    """Rows by keyset pagination. No transaction is open between two batches, since the reader may be slow."""
    if key is None:
        yield from ([_plain(name, value) for name, value in zip(head, row, strict=True)] for row in _rows(statement))
        return
    after = 0
    paged = statement.add_columns(key).order_by(key).limit(ROWS_AT_ONCE)
    while rows := _rows(paged.where(key > after)):
        for row in rows:
            yield [_plain(name, value) for name, value in zip(head, row, strict=False)]
        after = rows[-1][-1]
        if len(rows) < ROWS_AT_ONCE:
            return


def _rows(statement: Select[*tuple[Any, ...]]) -> list[Any]:
    found = list(db.session.execute(statement))
    db.session.rollback()
    return found


_MONEY = frozenset(
    {"balance", "charge", "kept", "returned", "in", "out", "amount", "balance_low", "taken_back", "fee", "bonus"}
)


def _plain(name: str, value: Any) -> object:
    if value is None:
        return None
    if name in _MONEY:
        return money.plain(value)
    if name == "price_per_thousand":
        return money.plain_price(value)
    if name in ("status", "old_status"):
        return Status(value).label
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    return value if isinstance(value, int | str) else str(value)
