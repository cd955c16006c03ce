"""Rendered rows of the order history, kept as long as they are true.

A row depends on its order's version, on whether the order is unconfirmed, and on the tool's name as of a
catalogue version. Each process keeps the newest rows it has rendered.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any, Generic, TypeVar

from flask import current_app
from flask.sansio.app import App
from markupsafe import Markup
from sqlalchemy import Row

from panel.domain.next_step import NextStepFacts, next_step
from panel.domain.status import Status
from panel.services.orders import history as order_history
from panel.services.orders.history import ToolName

EXTENSION = "panel.history_rows"
ROWS_KEPT = 20_000
CATALOGUES_KEPT = 4
CUSTOMERS_KEPT = 5_000
PARTS_KEPT = 1_000
# A region is some 25 kB: the page, its other tabs and the poll after it show the same one.
REGIONS_KEPT = 500

Value = TypeVar("Value")
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

    def find_all(self, keys: Sequence[Key]) -> dict[Key, Value]:
        """The values that are kept, of these keys."""
        with self._lock:
            found = {key: self._values[key] for key in keys if key in self._values}
            for key in found:
                self._values.move_to_end(key)
        return found

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
    views: Kept[Markup]
    pages: Kept[Markup]
    regions: Kept[Markup]


@dataclass(frozen=True, slots=True)
class ShownRow:
    """An order as its row shows it."""

    id: int
    status: Status
    tool_name: str
    link: str
    quantity: int
    delivered: int
    charge_nanos: int
    returned_nanos: int
    placed_at: datetime
    note: str


def init_app(app: App) -> None:
    app.extensions[EXTENSION] = _Caches(
        rows=Kept(ROWS_KEPT),
        names=Kept(CATALOGUES_KEPT),
        tools_used=Kept(CUSTOMERS_KEPT),
        forms=Kept(PARTS_KEPT),
        views=Kept(PARTS_KEPT),
        pages=Kept(PARTS_KEPT),
        regions=Kept(REGIONS_KEPT),
    )


def _caches() -> _Caches:
    caches: _Caches = current_app.extensions[EXTENSION]
    return caches


def tool_names(catalogue_version: int) -> dict[int, ToolName]:
    """The tools' names by number, read once for each version of the catalogue."""
    return _caches().names.get(catalogue_version, order_history.tool_names)


def tools_used(user_id: int, *, state_version: int) -> list[int]:
    """The numbers of the tools that this person has ordered."""
    return _caches().tools_used.get((user_id, state_version), lambda: order_history.tools_used(user_id))


def region(key: Hashable, make: Callable[[], Markup]) -> Markup:
    """The live region that this hash stands for."""
    return _caches().regions.get(key, make)


def views_list(views: tuple[Hashable, ...]) -> Markup:
    """The links above the list, with their counts."""
    return _caches().views.get(views, lambda: _fragment("orders/_views.html", views=views))


def pages_links(first: str | None, following: str | None) -> Markup:
    """The links to the first page and the next one."""
    return _caches().pages.get(
        (first, following), lambda: _fragment("orders/_pages.html", first=first, following=following)
    )


def filter_form(typed: Hashable, tools: Sequence[tuple[str, str]]) -> Markup:
    """The form of the filters, with these typed and these tools to choose from."""
    return _caches().forms.get((typed, tuple(tools)), lambda: filter_form_with_errors(typed, tools, {}))


def filter_form_with_errors(typed: object, tools: Sequence[tuple[str, str]], errors: Mapping[str, str]) -> Markup:
    statuses = [("", "Every status"), *((status.slug, status.label) for status in Status)]
    return _fragment("orders/_filters.html", typed=typed, statuses=statuses, tools=tools, errors=errors)


def _fragment(name: str, **context: object) -> Markup:
    html = current_app.jinja_env.get_template(name).render(**context)
    return Markup(html)  # noqa: S704  (rendered, and escaped, by its template)


def rendered(rows: Sequence[Row[*tuple[Any, ...]]], *, customer_id: int, catalogue_version: int) -> Markup:
    """The rows of a page as HTML, one after the other. Only those not kept are read in full, and rendered."""
    keys = [(*row[:2], *row[3:6], catalogue_version) for row in rows]
    kept = _caches().rows
    html = kept.find_all(keys)
    if missing := [key[0] for key in keys if key not in html]:
        for row in order_history.in_full(customer_id, order_ids=missing):
            # By now the order may have moved on: what is kept is kept under the version that was read.
            key = (row.id, row.version, row.is_unconfirmed, row.stop, row.is_held_back, catalogue_version)
            html[key] = kept.get(key, partial(_render, row))
    by_id = {key[0]: text for key, text in html.items()}
    return Markup("\n".join([by_id[key[0]] for key in keys]))  # noqa: S704  (rendered, and escaped, by its template)


def _render(row: Row[*tuple[Any, ...]]) -> str:
    facts = NextStepFacts(Status(row.status), row.is_unconfirmed, row.stop or "", row.is_held_back)
    shown = ShownRow(
        id=row.id,
        status=Status(row.status),
        tool_name=row.tool_name,
        link=row.link,
        quantity=row.quantity,
        delivered=row.quantity - row.remains,
        charge_nanos=row.charge_nanos,
        returned_nanos=row.returned_nanos,
        placed_at=row.placed_at,
        note=next_step(facts).note,
    )
    return current_app.jinja_env.get_template("orders/_row.html").render(row=shown)
