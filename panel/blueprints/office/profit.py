"""Profit report: revenue, cost and margin by day, tool, provider or customer, with a chart, a table and a CSV."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel import app_context
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.shared.csv_files import csv_file
from panel.clock import utc_now
from panel.db import begin_snapshot
from panel.domain import charts, money
from panel.domain.accounts.roles import Action
from panel.domain.formatting import day_of_year
from panel.domain.lists.date_range import Period
from panel.domain.lists.list_filters import BadFilters, days_of
from panel.services.money import profit
from panel.services.money.profit import Grouping, Profit, ProfitLine, ProfitSums

bp = office_blueprint("profit", reads=Action.SEE_FIGURES)

USUAL_DAYS = 30
MAX_LINES = 100
HEAD = ("orders", "revenue", "returned", "cost", "estimated_cost", "unknown_orders", "margin", "margin_percent")


@dataclass(frozen=True, slots=True)
class _Wanted:
    grouping: Grouping
    period: Period


@bp.get("/profit")
def show() -> ResponseReturnValue:
    begin_snapshot()
    try:
        wanted = _wanted(request.args)
    except BadFilters as error:
        return _page(None, error.errors), 422
    return _page(wanted, {})


@bp.get("/profit.csv", action=Action.EXPORT)
def csv() -> ResponseReturnValue:
    begin_snapshot()
    try:
        wanted = _wanted(request.args)
    except BadFilters as error:
        return _page(None, error.errors), 422
    found = profit.report(wanted.grouping, period=wanted.period)
    key = () if wanted.grouping is Grouping.DAY else (f"{wanted.grouping}_number",)
    rows = [[*([line.key] if key else []), line.name, *_figures(line.sums)] for line in found.lines]
    name = f"profit-by-{wanted.grouping}-{wanted.period.first}-{wanted.period.last}.csv"
    return csv_file(name, head=(*key, wanted.grouping.value, *HEAD), rows=rows)


def _figures(sums: ProfitSums) -> list[object]:
    return [
        sums.orders,
        money.plain(sums.revenue_nanos),
        money.plain(sums.returned_nanos),
        money.plain(sums.cost_nanos),
        money.plain(sums.estimated_nanos),
        sums.unknown_orders,
        money.plain(sums.margin_nanos),
        sums.margin_percent.removesuffix("%"),
    ]


def _wanted(given: Mapping[str, str]) -> _Wanted:
    """The query: the last 30 days, by day, unless it says otherwise. Raises BadFilters."""
    errors: dict[str, str] = {}
    since, until = days_of(given, errors)
    until = until or utc_now().date()
    since = since or until - timedelta(days=USUAL_DAYS - 1)
    if not errors and since > until:
        errors["from"] = "The first day is after the last day. Swap them or change one."
    elif not errors and (until - since).days >= profit.MAX_DAYS:
        errors["from"] = f"Choose at most {profit.MAX_DAYS} days."
    by = given.get("by", "") or Grouping.DAY
    if by not in list(Grouping):
        errors["by"] = "Choose one from the list."
    if errors:
        raise BadFilters(errors)
    return _Wanted(Grouping(by), Period(since, until))


def _page(wanted: _Wanted | None, errors: dict[str, str]) -> str:
    found = profit.page(wanted.grouping, period=wanted.period) if wanted else None
    typed = {name: request.args.get(name, "") for name in ("by", "from", "to")}
    if wanted:
        typed |= {
            "by": wanted.grouping.value,
            "from": wanted.period.first.isoformat(),
            "to": wanted.period.last.isoformat(),
        }
    by_day = found if wanted and wanted.grouping is Grouping.DAY else None
    # Without any margin there is nothing to draw: no cost is known, or each day lost money.
    has_margin = by_day is not None and any(line.sums.margin_nanos > 0 for line in by_day.lines)
    chart = _chart(by_day) if by_day is not None and has_margin else None
    return render_template(
        "office/profit/index.html",
        found=found,
        lines=_lines_on_page(found, wanted),
        grouping=wanted and wanted.grouping,
        groupings=[(each.value, each.label) for each in Grouping],
        typed=typed,
        errors=errors,
        most_orders=profit.MAX_ORDERS_BY_CUSTOMER,
        chart=chart,
        csv_url=f"{url_for('office_profit.csv')}?{urlencode(typed)}",
    )


def _chart(found: Profit) -> tuple[charts.Columns, list[str], tuple[str, str]]:
    """Margin per day; a loss counts as 0, and the table has its figure."""
    columns = charts.columns([max(line.sums.margin_nanos, 0) for line in found.lines])
    marks = [app_context.money_text(tick.value) for tick in columns.ticks]
    first, last = (date.fromisoformat(line.name) for line in (found.lines[0], found.lines[-1]))
    return columns, marks, (day_of_year(first), day_of_year(last))


def _lines_on_page(found: Profit | None, wanted: _Wanted | None) -> list[ProfitLine]:
    """The newest days first, or the lines with the most revenue."""
    if found is None or wanted is None:
        return []
    return found.lines[::-1] if wanted.grouping is Grouping.DAY else found.lines[:MAX_LINES]
