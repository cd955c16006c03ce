"""Order history: the page, its live region, and the CSV export.

The region is rendered in one place. The only session state in it is whether updates are paused, and
the hash it carries is the one that `panel/middleware/live_poll_304.py` compares.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from markupsafe import Markup
from sqlalchemy import Row

from panel.blueprints.orders import history_cache, history_page, history_region
from panel.blueprints.orders.history_again import RenderedHistory, facts_of
from panel.blueprints.orders.history_region import LIVE, PAGE, address
from panel.blueprints.shared.csv_files import csv_stream
from panel.blueprints.shared.htmx import is_live, pause_or_resume, region_or_304
from panel.db import db
from panel.domain import money
from panel.domain.forms.values import FieldValues
from panel.domain.lists import order_filters
from panel.domain.lists.list_filters import BadFilters
from panel.domain.lists.order_filters import OrderFilters
from panel.domain.status import Status
from panel.services.accounts.sessions import LoggedIn
from panel.services.catalogue.read_tools import ToolName
from panel.services.orders import history as order_history
from panel.services.orders import order_fields

bp = Blueprint("orders", __name__)
bp.record_once(lambda state: history_cache.init_app(state.app))

FILE = "/orders.csv"

ToolNames = dict[int, ToolName]

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
    person = _person()
    try:
        filters = _filters(person)
    except BadFilters as error:
        return _refused(error, person)
    if "live" in request.args:
        return pause_or_resume(address(PAGE, filters))
    polls, typed, here = is_live(), _typed(dict(filters.pairs())), address(PAGE, filters)
    region = history_region.region(filters, person, is_live=polls)
    form = _cached_filter_form(typed, _tool_choices(person, typed["tool"]))
    facts = facts_of(person, region)
    shown: dict[str, Any] = {
        "has_rows": facts.has_rows,
        "has_ended": polls and not facts.polls,
        "page_url": here,
        "csv_url": address(FILE, filters.at(None)),
        "log_in_url": f"/log-in?{urlencode({'next': here})}",
        "kept": (*filters.pairs(), *((("after", filters.after),) if filters.after else ())),
        "is_live": polls,
    }
    page = history_page.of_person(form, **shown)
    if page is None:
        return render_template(history_page.TEMPLATE, form=form, region=region, errors={}, **shown)
    RenderedHistory(person, filters, polls, page, facts).leave_for_middleware()
    return page.filled(person, region)


@bp.get(LIVE)
@login_required
def live() -> ResponseReturnValue:
    """The live region, or 304 if it hasn't changed."""
    person, polls = _person(), is_live()
    filters = _filters(person)
    RenderedHistory(person, filters, is_live=polls).leave_for_middleware()
    return region_or_304(
        history_region.etag(filters, person), lambda: history_region.region(filters, person, is_live=polls)
    )


@bp.get(FILE)
@login_required
def as_file() -> ResponseReturnValue:
    """CSV of all matching orders, streamed a thousand at a time."""
    person = _person()
    try:
        filters = _filters(person)
    except BadFilters as error:
        return _refused(error, person)
    names = history_cache.tool_names(person.catalogue_version)
    return csv_stream("orders.csv", head=CSV_HEAD, rows=_csv_pages(current_user.id, filters, names))


def _person() -> LoggedIn:
    # Read with its versions: data read later can only be newer, and the next poll then fetches it again.
    person: LoggedIn = current_user._get_current_object()
    return person


def _filters(person: LoggedIn) -> OrderFilters:
    """Filters from the query string. Raises BadFilters, also for a tool that doesn't exist."""
    filters = order_filters.parse(request.args)
    tools = history_cache.tool_names(person.catalogue_version).values() if filters.tool else ()
    if filters.tool and filters.tool not in {tool.slug for tool in tools}:
        raise BadFilters({"tool": "There is no such tool. Choose one from the list."})
    return filters


def _tool_choices(person: LoggedIn, chosen: str) -> list[tuple[str, str]]:
    """Tools that this customer has ordered, by name, and the one in the filter."""
    names, key = history_cache.tool_names(person.catalogue_version), (person.id, _orders(person))
    used = history_cache.of_app().tools_used.get_or_make(key, lambda: order_history.tools_used_committed(person.id))
    shown = [tool for tool_id, tool in names.items() if tool_id in used or tool.slug == chosen]
    return [("", "Every tool"), *((tool.slug, tool.name) for tool in sorted(shown, key=lambda tool: tool.name))]


def _orders(person: LoggedIn) -> int:
    return sum(history_cache.counts(person.page_versions).values())


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


def _refused(error: BadFilters, person: LoggedIn) -> ResponseReturnValue:
    """The filter form with the typed values and the errors, without a list."""
    typed = _typed(request.args)
    form = _filter_form(typed, _tool_choices(person, typed["tool"]), error.errors)
    return render_template(history_page.TEMPLATE, form=form, region="", errors=error.errors), 422


def _csv_pages(user_id: int, filters: OrderFilters, names: ToolNames) -> Iterator[list[object]]:
    while batch := order_history.history_batch(user_id, filters=filters):
        rows = _csv_rows(batch, names)
        # A slow reader must not keep a database transaction open.
        db.session.rollback()
        yield from rows
        filters = filters.at(batch[-1].id)


def csv_rows(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[list[object]]:
    """CSV rows of these orders."""
    return _csv_rows(rows, history_cache.tool_names(_person().catalogue_version))


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
