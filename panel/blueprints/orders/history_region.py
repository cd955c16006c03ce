"""Live region of the history: a shell for each combination of filters, with the customer's texts filled in.

Nothing here needs a request, so that the middleware can render a region again.
"""

from collections.abc import Mapping

from flask import current_app
from markupsafe import Markup, escape

from panel import app_context
from panel.blueprints.orders import history_cache, history_rows
from panel.blueprints.shared.shells import Shell, shell_of
from panel.db.lru_cache import LRUCache
from panel.domain import formatting, money
from panel.domain.lists.order_filters import OrderFilters
from panel.domain.status import Status
from panel.services.accounts.sessions import LoggedIn
from panel.services.orders import history as order_history
from panel.services.page_version import page_etag

# Some 3 kB each, one for each combination of filters that is asked for.
MAX_SHELLS = 2_000

PAGE, LIVE = "/orders", "/orders/live"
_TEMPLATE, _ALL = "orders/_live.html", "all"
# Markup of a region that lists orders, and of one that polls. No text of a user can contain these.
_ROW, _POLLS = '<tr id="order-', ' data-hx-get="'
_MOVING = frozenset(status.value for status in Status if status.is_moving)
_NAMES = (
    "balance",
    "balance_plain",
    "balance_nanos",
    "shown",
    "rows",
    "following",
    _ALL,
    *(status.slug for status in Status),
)
_SLUGS = tuple((status.slug, status) for status in Status)
# Links above the list: all orders, then each status. A view drops the other filters, as its count does.
_VIEWS = (
    (_ALL, "All", PAGE, None),
    *((status.slug, status.label, f"{PAGE}?{OrderFilters(status=status).query()}", status) for status in Status),
)


def address(path: str, filters: OrderFilters) -> str:
    """The address of this list there."""
    query = filters.query()
    return f"{path}?{query}" if query else path


def etag(filters: OrderFilters, person: LoggedIn) -> str:
    """The hash of what the region of this list shows."""
    return page_etag(person.page_versions, address=address(LIVE, filters))


def region(filters: OrderFilters, person: LoggedIn, *, is_live: bool) -> Markup:
    """Render section#live, the only place that does; cached by the hash of what it shows."""
    regions, live_url = history_cache.of_app().regions, address(LIVE, filters)
    shown = page_etag(person.page_versions, address=live_url)
    return regions.get_or_make(
        (shown, is_live), lambda: _rendered(filters, person, shown=shown, live_url=live_url, polls=is_live)
    )


def has_rows(region: str) -> bool:
    """Whether this region lists orders."""
    return _ROW in region


def polls(region: str) -> bool:
    """Whether this region looks for changes, because some order in it can still change."""
    return _POLLS in region


def _rendered(filters: OrderFilters, person: LoggedIn, *, shown: str, live_url: str, polls: bool) -> Markup:
    counts = history_cache.counts(person.page_versions)
    page = order_history.history_page(person.id, filters=filters)
    rows = history_rows.rendered(page.rows, customer_id=person.id, catalogue_version=person.catalogue_version)
    return _filled(
        rows,
        person,
        counts=counts,
        following=None if page.next_after is None else address(PAGE, filters.at(page.next_after)),
        shown=shown,
        here=None if filters.is_narrow_beyond_status else (filters.status,),
        first=address(PAGE, filters.at(None)) if filters.after is not None else None,
        is_beyond=filters.after is not None and not page.rows,
        searched=order_history.SEARCHED_ORDERS if page.is_part_searched else 0,
        filters=_in_words(filters, person.catalogue_version),
        clear_url=PAGE,
        live_url=live_url,
        polls=polls and any(row.status in _MOVING for row in page.rows),
    )


def _in_words(filters: OrderFilters, catalogue_version: int) -> str:
    """The filters as the end of a sentence; empty when there are none."""
    filtered = []
    if filters.status:
        filtered.append(f"status {filters.status.label}")
    if filters.tool:
        tools = history_cache.tool_names(catalogue_version).values()
        filtered.append(f"tool {next(tool.name for tool in tools if tool.slug == filters.tool)}")
    if filters.search:
        filtered.append(f"“{filters.search}”")
    if filters.first:
        filtered.append(f"placed from {filters.first.isoformat()}")
    if filters.last:
        filtered.append(f"placed until {filters.last.isoformat()}")
    return ", ".join(filtered)


def _filled(
    rows: Markup,
    person: LoggedIn,
    *,
    counts: Mapping[Status, int],
    following: str | None,
    shown: str,
    here: tuple[Status | None] | None,
    **others: object,
) -> Markup:
    """The region with these rows and numbers of orders. `here`: the view that the list is; None where it is none.

    `others`: all else that it shows, each hashable.
    """
    code = app_context.amount_format(app_context.settings()).after
    shells = app_context.once_per_app("panel.shells_of_regions", lambda: LRUCache[object, Shell](MAX_SHELLS))
    key = (bool(rows), following is not None, here, code, *others.items())
    shell = shells.get_or_make(
        key, lambda: _shell(here, has_rows=bool(rows), has_following=following is not None, **others)
    )
    nanos = person.balance_nanos
    texts = {slug: formatting.count(counts[status]) for slug, status in _SLUGS}
    return shell.filled(
        {
            "balance": escape(app_context.money_text(nanos)),
            "balance_plain": money.plain(nanos),
            "balance_nanos": str(nanos),
            "shown": shown,
            "rows": rows,
            "following": escape(following or ""),
            _ALL: formatting.count(sum(counts.values())),
            **texts,
        }
    )


def _shell(here: tuple[Status | None] | None, **shown: object) -> Shell:
    views = [
        {"name": name, "label": label, "url": url, "is_here": here == (status,)} for name, label, url, status in _VIEWS
    ]
    return shell_of(current_app.jinja_env.get_template(_TEMPLATE), _NAMES, views=views, **shown)
