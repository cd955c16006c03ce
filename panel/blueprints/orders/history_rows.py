"""Row cache of the order history, and caches of the other parts of that page that take long to make.

A row depends on its order's version, on whether the order is unconfirmed, and on the tool's name as of a
catalogue version. Every key contains such a version, so nothing cached is ever out of date. What each cache buys is
in `tests/bench/RESULTS.md`.
"""

import zlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from flask import current_app
from flask.sansio.app import App
from markupsafe import Markup
from sqlalchemy import Row

from panel.blueprints.shared import incident_banner
from panel.clock import utc_now
from panel.db.lru_cache import LRUCache
from panel.domain import formatting, links
from panel.domain.next_step import NextStepFacts, next_step
from panel.domain.status import Status
from panel.services.orders import history as order_history
from panel.services.orders.history import ToolName

EXTENSION = "panel.history_rows"
# A row weighs 1.5 kB, together 30 MB. Between 10,000 active customers the regions last longer, and rows cost little.
MAX_ROWS = 20_000
MAX_CATALOGUES = 4
MAX_CUSTOMERS = 10_000
# A form is about 4 kB, and one for all customers who ordered the same tools.
MAX_FORMS = 1_000
# A region of 25 rows is 36 kB, compressed 2.5 kB: the page, its other tabs and the next poll share one.
MAX_REGIONS = 10_000


@dataclass(frozen=True, slots=True)
class _HistoryCaches:
    rows: LRUCache[tuple[Hashable, ...], str]
    names: LRUCache[int, dict[int, ToolName]]
    tools_used: LRUCache[tuple[int, int], list[int]]
    forms: LRUCache[Hashable, Markup]
    regions: LRUCache[Hashable, bytes]
    badges: LRUCache[Status, Markup]


@dataclass(frozen=True, slots=True)
class TypedFilters:
    """Filters as typed in the form, valid or not."""

    q: str
    status: str
    tool: str
    first: str
    last: str

    @property
    def active(self) -> int:
        """How many filters are set beside the search. A status alone is a tab, and its tab is marked."""
        others = sum(map(bool, (self.tool, self.first, self.last)))
        return others + bool(self.status and (others or self.q))


@dataclass(frozen=True, slots=True)
class ShownRow:
    """Template data of an order's row."""

    id: int
    status: Status
    badge: Markup
    tool_name: str
    link: str
    link_start: str
    link_end: str
    quantity: int
    delivered: int
    charge_nanos: int
    returned_nanos: int
    placed_at: datetime
    placed: str
    note: str


def init_app(app: App) -> None:
    app.extensions[EXTENSION] = _HistoryCaches(
        rows=LRUCache(MAX_ROWS),
        names=LRUCache(MAX_CATALOGUES),
        tools_used=LRUCache(MAX_CUSTOMERS),
        forms=LRUCache(MAX_FORMS),
        regions=LRUCache(MAX_REGIONS),
        badges=LRUCache(len(Status)),
    )


def _caches() -> _HistoryCaches:
    caches: _HistoryCaches = current_app.extensions[EXTENSION]
    return caches


def tool_names(catalogue_version: int) -> dict[int, ToolName]:
    """Tool names by id, read once per catalogue version."""
    return _caches().names.get_or_make(catalogue_version, order_history.tool_names)


def tools_used(user_id: int, *, state_version: int) -> list[int]:
    """Ids of the tools that this customer has ordered."""
    return _caches().tools_used.get_or_make((user_id, state_version), lambda: order_history.tools_used(user_id))


def region(key: Hashable, make: Callable[[], Markup]) -> Markup:
    """Cached live region by its hash."""
    compressed = _caches().regions.get_or_make(key, lambda: zlib.compress(make().encode(), 1))
    return Markup(zlib.decompress(compressed).decode())  # noqa: S704  (rendered, and escaped, by its template)


def views_list(views: tuple[Hashable, ...]) -> Markup:
    """Filter links with their counts."""
    return _fragment("orders/_views.html", views=views)


def pages_links(first: str | None, following: str | None) -> Markup:
    """Pagination links."""
    return _fragment("orders/_pages.html", first=first, following=following)


def filter_form(typed: TypedFilters, tools: Sequence[tuple[str, str]]) -> Markup:
    """Cached filter form with these typed values and tools."""
    return _caches().forms.get_or_make((typed, tuple(tools)), lambda: filter_form_with_errors(typed, tools, {}))


def filter_form_with_errors(typed: TypedFilters, tools: Sequence[tuple[str, str]], errors: Mapping[str, str]) -> Markup:
    statuses = [("", "Every status"), *((status.slug, status.label) for status in Status)]
    return _fragment(
        "orders/_filters.html", typed=typed, statuses=statuses, tools=tools, errors=errors, active=typed.active
    )


def _fragment(name: str, **context: object) -> Markup:
    html = current_app.jinja_env.get_template(name).render(**context)
    return Markup(html)  # noqa: S704  (rendered, and escaped, by its template)


def rendered(rows: Sequence[Row[*tuple[Any, ...]]], *, customer_id: int, catalogue_version: int) -> Markup:
    """The rows of a page as HTML. Only those not cached are read in full, and rendered."""
    # Times are short: those of another year show the year, so a row is cached for one year.
    as_of = (catalogue_version, utc_now().year)
    keys = [(*row[:2], *row[3:6], *as_of) for row in rows]
    cache = _caches().rows
    html: dict[tuple[Hashable, ...], str] = cache.get_many(keys)
    if missing := [key[0] for key in keys if key not in html]:
        render = _row_renderer(*as_of)
        for row in order_history.in_full(customer_id, order_ids=missing):
            # The order may have changed since: its row is cached under the version that was read.
            key = (row.id, row.version, row.is_unconfirmed, row.stop, row.is_held_back, *as_of)
            html[key] = cache.get_or_make(key, partial(render, row))
    by_id = {key[0]: text for key, text in html.items()}
    return Markup("\n".join([by_id[key[0]] for key in keys]))  # noqa: S704  (rendered, and escaped, by its template)


def _row_renderer(catalogue_version: int, year: int) -> Callable[[Row[*tuple[Any, ...]]], str]:
    """What renders one row after the other: template and incidents are looked up once."""
    order_row = _macros("orders/_row.html").order_row
    incidents = incident_banner.open_incidents(catalogue_version)

    def render(row: Row[*tuple[Any, ...]]) -> str:
        has_incident = any(incident.delays(row.provider_id) for incident in incidents)
        return str(order_row(_shown(row, has_incident=has_incident, year=year)))

    return render


def _shown(row: Row[*tuple[Any, ...]], *, has_incident: bool, year: int) -> ShownRow:
    status = Status(row.status)
    facts = NextStepFacts(status, row.is_unconfirmed, row.stop or "", row.is_held_back, has_incident=has_incident)
    link_start, link_end = links.in_two(row.link)
    return ShownRow(
        id=row.id,
        status=status,
        badge=_badge(status),
        tool_name=row.tool_name,
        link=row.link,
        link_start=link_start,
        link_end=link_end,
        quantity=row.quantity,
        delivered=row.quantity - row.remains,
        charge_nanos=row.charge_nanos,
        returned_nanos=row.returned_nanos,
        placed_at=row.placed_at,
        placed=formatting.short(row.placed_at, year=year),
        note=next_step(facts).note,
    )


def _badge(status: Status) -> Markup:
    return _caches().badges.get_or_make(status, lambda: _macros("components/status.html").status_badge(status))


def _macros(name: str) -> Any:
    """A template's macros. Jinja makes them once for each template, so that a row costs one call."""
    return current_app.jinja_env.get_template(name).module
