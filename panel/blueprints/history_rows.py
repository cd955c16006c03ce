"""Rendered rows of the order history, kept as long as they are true.

A row depends on its order's version, on whether the order is unconfirmed, and on the tool's name as of a
catalogue version. Each process keeps the newest rows it has rendered.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
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
FORMS_KEPT = 500

Value = TypeVar("Value")
Source = TypeVar("Source")
Key = TypeVar("Key", bound=Hashable)


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
            self._keep(key, value)
        return value

    def get_all(self, sources: Mapping[Key, Source], make: Callable[[Source], Value]) -> list[Value]:
        """The values of all these keys; of one that is not kept, made from what stands beside the key."""
        with self._lock:
            found = {key: self._values[key] for key in sources if key in self._values}
            for key in found:
                self._values.move_to_end(key)
        made = {key: make(source) for key, source in sources.items() if key not in found}
        if made:
            with self._lock:
                for key, value in made.items():
                    self._keep(key, value)
        return [found[key] if key in found else made[key] for key in sources]

    def _keep(self, key: Hashable, value: Value) -> None:
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Caches:
    rows: Kept[str]
    names: Kept[dict[int, ToolName]]
    tools_used: Kept[list[int]]
    forms: Kept[Markup]


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
    app.extensions[EXTENSION] = _Caches(Kept(ROWS_KEPT), Kept(CATALOGUES_KEPT), Kept(CUSTOMERS_KEPT), Kept(FORMS_KEPT))


def _caches() -> _Caches:
    caches: _Caches = current_app.extensions[EXTENSION]
    return caches


def tool_names(catalogue_version: int) -> dict[int, ToolName]:
    """The tools' names by number, read once for each version of the catalogue."""
    return _caches().names.get(catalogue_version, orders.tool_names)


def tools_used(user_id: int, *, state_version: int) -> list[int]:
    """The numbers of the tools that this person has ordered."""
    return _caches().tools_used.get((user_id, state_version), lambda: orders.tools_used(user_id))


def filter_form(typed: Hashable, tools: Sequence[tuple[str, str]]) -> Markup:
    """The form of the filters, with these typed and these tools to choose from."""
    return _caches().forms.get((typed, tuple(tools)), lambda: filter_form_with_errors(typed, tools, {}))


def filter_form_with_errors(typed: object, tools: Sequence[tuple[str, str]], errors: Mapping[str, str]) -> Markup:
    statuses = [("", "Every status"), *((status.slug, status.label) for status in Status)]
    template = current_app.jinja_env.get_template("orders/_filters.html")
    html = template.render(typed=typed, statuses=statuses, tools=tools, errors=errors)
    return Markup(html)  # noqa: S704  (rendered, and escaped, by its template)


def rendered(rows: Sequence[Row[Any]], *, catalogue_version: int) -> Markup:
    """The rows as HTML, one after the other."""
    names = tool_names(catalogue_version)
    by_key = {(row.id, row.version, row.unconfirmed_at, catalogue_version): row for row in rows}
    html = _caches().rows.get_all(by_key, lambda row: _render(row, names))
    return Markup("\n".join(html))  # noqa: S704  (each row was rendered, and escaped, by its template)


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
