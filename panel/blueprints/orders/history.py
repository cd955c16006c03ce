"""Order history: the page, its live region, and the CSV export.

The region is rendered in one place. The only session state in it is whether updates are paused, and
the hash it carries is the one that `panel/middleware/live_poll_304.py` compares.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from markupsafe import Markup
from sqlalchemy import Row

from panel.blueprints.orders import history_cache, history_page, history_region, history_rows
from panel.blueprints.shared.csv_files import csv_stream
from panel.blueprints.shared.htmx import is_live, pause_or_resume, region_or_304
from panel.db import db
from panel.domain import money
from panel.domain.forms.values import FieldValues
from panel.domain.lists import order_filters
from panel.domain.lists.list_filters import BadFilters
from panel.domain.lists.order_filters import OrderFilters
from panel.domain.status import Status
from panel.services.accounts.sessions import PageVersions
from panel.services.catalogue import read_tools
from panel.services.orders import history as order_history
from panel.services.orders import order_fields
from panel.services.page_version import page_etag

bp = Blueprint("orders", __name__)
bp.record_once(lambda state: history_cache.init_app(state.app))

PAGE, LIVE, FILE = "/orders", "/orders/live", "/orders.csv"

# Markup of a region that lists orders, and of one that polls. No text of a user can contain these.
_ROW, _POLLS = '<tr id="order-', ' data-hx-get="'
ToolNames = dict[int, read_tools.ToolName]
MOVING = frozenset(status.value for status in Status if status.is_moving)

CSV_HEAD = (
    "order",
    "placed_at",
    "tool",
    "tool_name",
    "link",
    "status",
    "quantity",
    "delivered",
    "remains",
    "start_count",
    "price_per_thousand",
    "charged",
    "returned",
    "started_at",
    "ended_at",
    "fields",
)


@bp.get(PAGE)
@login_required
def index() -> ResponseReturnValue:
    versions = _versions()
    try:
        filters = _filters(versions)
    except BadFilters as error:
        return _refused(error, versions)
    if "live" in request.args:
        return pause_or_resume(_address(PAGE, filters))
    polls, typed, here = is_live(), _typed(dict(filters.pairs())), _address(PAGE, filters)
    region = _region(filters, versions, is_live=polls)
    return history_page.rendered(
        form=_cached_filter_form(typed, _tool_choices(versions, typed["tool"])),
        region=region,
        has_rows=_ROW in region,
        has_ended=polls and _POLLS not in region,
        page_url=here,
        csv_url=_address(FILE, filters.at(None)),
        log_in_url=f"/log-in?{urlencode({'next': here})}",
        kept=(*filters.pairs(), *((("after", filters.after),) if filters.after else ())),
        is_live=polls,
    )


@bp.get(LIVE)
@login_required
def live() -> ResponseReturnValue:
    """The live region, or 304 if it hasn't changed."""
    versions = _versions()
    filters = _filters(versions)
    shown = page_etag(versions, address=_address(LIVE, filters))
    return region_or_304(shown, lambda: _region(filters, versions, is_live=is_live()))


@bp.get(FILE)
@login_required
def as_file() -> ResponseReturnValue:
    """CSV of all matching orders, streamed a thousand at a time."""
    versions = _versions()
    try:
        filters = _filters(versions)
    except BadFilters as error:
        return _refused(error, versions)
    names = _tool_names(versions.catalogue_version)
    return csv_stream("orders.csv", head=CSV_HEAD, rows=_csv_pages(current_user.id, filters, names))


def _versions() -> PageVersions:
    # Versions were read first: data read later can only be newer, and the next poll then fetches it again.
    versions: PageVersions = current_user.page_versions
    return versions


def _filters(versions: PageVersions) -> OrderFilters:
    """Filters from the query string. Raises BadFilters, also for a tool that doesn't exist."""
    filters = order_filters.parse(request.args)
    slugs = {tool.slug for tool in _tool_names(versions.catalogue_version).values()} if filters.tool else ()
    if filters.tool and filters.tool not in slugs:
        raise BadFilters({"tool": "There is no such tool. Choose one from the list."})
    return filters


def _region(filters: OrderFilters, versions: PageVersions, *, is_live: bool) -> Markup:
    """Render section#live, the only place that does; cached by the hash of what it shows."""
    shown = page_etag(versions, address=_address(LIVE, filters))
    regions, key = history_cache.of_app().regions, (shown, is_live)
    compressed = regions.get(key)
    if compressed is None:
        html = _rendered(filters, versions, is_live=is_live)
        regions.set(key, zlib.compress(html.encode(), 1))
    else:
        html = zlib.decompress(compressed).decode()
    return Markup(html)  # noqa: S704  (rendered, and escaped, by its template)


def _rendered(filters: OrderFilters, versions: PageVersions, *, is_live: bool) -> str:
    counts = history_cache.counts(versions)
    page = order_history.history_page(versions.user_id, filters=filters)
    live_url = _address(LIVE, filters)
    return history_region.rendered(
        history_rows.rendered(page.rows, customer_id=versions.user_id, catalogue_version=versions.catalogue_version),
        counts=counts,
        following=None if page.next_after is None else _address(PAGE, filters.at(page.next_after)),
        shown=page_etag(versions, address=live_url),
        here=None if filters.is_narrow_beyond_status else (filters.status,),
        first=_address(PAGE, filters.at(None)) if filters.after is not None else None,
        is_beyond=filters.after is not None and not page.rows,
        searched=order_history.SEARCHED_ORDERS if page.is_part_searched else 0,
        filters=_in_words(filters, versions),
        clear_url=PAGE,
        live_url=live_url,
        polls=is_live and any(row.status in MOVING for row in page.rows),
    )


def _in_words(filters: OrderFilters, versions: PageVersions) -> str:
    """The filters as the end of a sentence; empty when there are none."""
    filtered = []
    if filters.status:
        filtered.append(f"status {filters.status.label}")
    if filters.tool:
        tools = _tool_names(versions.catalogue_version).values()
        filtered.append(f"tool {next(tool.name for tool in tools if tool.slug == filters.tool)}")
    if filters.search:
        filtered.append(f"“{filters.search}”")
    if filters.first:
        filtered.append(f"placed from {filters.first.isoformat()}")
    if filters.last:
        filtered.append(f"placed until {filters.last.isoformat()}")
    return ", ".join(filtered)


def _tool_choices(versions: PageVersions, chosen: str) -> list[tuple[str, str]]:
    """Tools that this customer has ordered, by name, and the one in the filter."""
    names = _tool_names(versions.catalogue_version)
    key = (versions.user_id, sum(history_cache.counts(versions).values()))
    used = history_cache.of_app().tools_used.get_or_make(key, lambda: order_history.tools_used(versions.user_id))
    shown = [tool for tool_id, tool in names.items() if tool_id in used or tool.slug == chosen]
    return [("", "Every tool"), *((tool.slug, tool.name) for tool in sorted(shown, key=lambda tool: tool.name))]


def _tool_names(catalogue_version: int) -> ToolNames:
    """Tool names by id, read once per catalogue version."""
    return history_cache.of_app().tool_names.get_or_make(catalogue_version, read_tools.tool_names)


def _cached_filter_form(typed: Mapping[str, str], tools: Sequence[tuple[str, str]]) -> Markup:
    forms = history_cache.of_app().forms
    return forms.get_or_make((*typed.items(), *tools), lambda: _filter_form(typed, tools, {}))


def _filter_form(typed: Mapping[str, str], tools: Sequence[tuple[str, str]], errors: Mapping[str, str]) -> Markup:
    statuses = [("", "Every status"), *((status.slug, status.label) for status in Status)]
    others = sum(1 for name in ("tool", "from", "to") if typed[name])
    # Beside the search. A status alone is a tab, and its tab is marked.
    active = others + bool(typed["status"] and (others or typed["q"]))
    template = current_app.jinja_env.get_template("orders/_filters.html")
    html = template.render(typed=typed, statuses=statuses, tools=tools, errors=errors, active=active)
    return Markup(html)  # noqa: S704  (rendered, and escaped, by its template)


def _typed(given: Mapping[str, str]) -> dict[str, str]:
    """Filters as typed in the form, valid or not."""
    return {name: given.get(name, "") for name in ("q", "status", "tool", "from", "to")}


def _refused(error: BadFilters, versions: PageVersions) -> ResponseReturnValue:
    """The filter form with the typed values and the errors, without a list."""
    typed = _typed(request.args)
    form = _filter_form(typed, _tool_choices(versions, typed["tool"]), error.errors)
    return render_template("orders/index.html", form=form, region="", errors=error.errors), 422


def _address(path: str, filters: OrderFilters) -> str:
    query = filters.query()
    return f"{path}?{query}" if query else path


def _csv_pages(user_id: int, filters: OrderFilters, names: ToolNames) -> Iterator[list[object]]:
    while batch := order_history.history_batch(user_id, filters=filters):
        rows = _csv_rows(batch, names)
        # A slow reader must not keep a database transaction open.
        db.session.rollback()
        yield from rows
        filters = filters.at(batch[-1].id)


def csv_rows(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[list[object]]:
    """CSV rows of these orders."""
    return _csv_rows(rows, _tool_names(_versions().catalogue_version))


def _csv_rows(rows: Sequence[Row[*tuple[Any, ...]]], names: ToolNames) -> list[list[object]]:
    fields = order_fields.of_orders([row.id for row in rows])
    return [_csv_row(row, names, fields.get(row.id)) for row in rows]


def _csv_row(row: Row[*tuple[Any, ...]], names: ToolNames, fields: FieldValues | None) -> list[object]:
    return [
        row.id,
        _moment(row.placed_at),
        names[row.tool_id].slug,
        row.tool_name,
        row.link,
        Status(row.status).label,
        row.quantity,
        row.quantity - row.remains,
        row.remains,
        row.start_count,
        money.plain_price(row.price_micros_per_thousand),
        money.plain(row.charge_nanos),
        money.plain(row.returned_nanos),
        _moment(row.started_at),
        _moment(row.ended_at),
        json.dumps(fields, ensure_ascii=False) if fields else "",
    ]


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")
