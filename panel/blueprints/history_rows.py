"""Rendered rows of the order history, kept as long as they are true.

A row depends on its order's version, on whether the order is unconfirmed, and on the tool's name as of a
catalogue version. Each process keeps the newest rows it has rendered.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Generic, TypeVar

from flask import current_app
from flask.sansio.app import App
from markupsafe import Markup
from sqlalchemy import Row

from panel.domain.status import Status
from panel.services import orders
from panel.services.orders import ToolName

EXTENSION = "panel.history_rows"
ROWS_KEPT = 20_000
CATALOGUES_KEPT = 4
CUSTOMERS_KEPT = 5_000

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Values by key; the one not asked for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of this key, made where it is not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            if len(self._values) > self._most:
                self._values.popitem(last=False)
        return value


@dataclass(frozen=True, slots=True)
class _Caches:
    rows: Kept[str]
    names: Kept[dict[int, ToolName]]
    tools_used: Kept[list[int]]


@dataclass(frozen=True, slots=True)
class ShownRow:
    """An order as its row shows it."""

    id: int
    status: Status
    link: str
    quantity: int
    delivered: int
    charge_nanos: int
    returned_nanos: int
    placed_at: datetime
    unconfirmed_at: datetime | None


def init_app(app: App) -> None:
    app.extensions[EXTENSION] = _Caches(Kept(ROWS_KEPT), Kept(CATALOGUES_KEPT), Kept(CUSTOMERS_KEPT))


def _caches() -> _Caches:
    caches: _Caches = current_app.extensions[EXTENSION]
    return caches


def tool_names(catalogue_version: int) -> dict[int, ToolName]:
    """The tools' names by number, read once for each version of the catalogue."""
    return _caches().names.get(catalogue_version, orders.tool_names)


def tools_used(user_id: int, *, state_version: int) -> list[int]:
    """The numbers of the tools that this person has ordered."""
    return _caches().tools_used.get((user_id, state_version), lambda: orders.tools_used(user_id))


def rendered(rows: Sequence[Row[Any]], *, catalogue_version: int) -> Markup:
    """The rows as HTML, one after the other."""
    kept = _caches().rows
    names = tool_names(catalogue_version)
    return Markup(  # noqa: S704  (each row was rendered, and escaped, by its template)
        "\n".join(
            [
                kept.get((row[0], row[1], row[3], catalogue_version), lambda row=row: _render(row, names))  # type: ignore[misc]
                for row in rows
            ]
        )
    )


def _render(row: Row[Any], names: dict[int, ToolName]) -> str:
    shown = ShownRow(
        id=row.id,
        status=Status(row.status),
        link=row.link,
        quantity=row.quantity,
        delivered=row.quantity - row.remains,
        charge_nanos=row.charge_nanos,
        returned_nanos=row.returned_nanos,
        placed_at=row.placed_at,
        unconfirmed_at=row.unconfirmed_at,
    )
    # A tool that was added after the names were read is read now.
    tool = names.get(row.tool_id) or orders.tool_names()[row.tool_id]
    return current_app.jinja_env.get_template("orders/_row.html").render(row=shown, tool=tool)
