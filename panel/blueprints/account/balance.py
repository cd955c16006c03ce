"""Balance and statement pages of a customer."""

from collections.abc import Iterator

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.csv_files import csv_stream
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import begin_snapshot
from panel.domain import money
from panel.domain.errors import PanelError
from panel.domain.lists.date_range import Period, parse_period, this_month
from panel.services.money import account_entries, deposits, ledger, statements
from panel.services.money.statements import Statement, StatementLine

bp = Blueprint("balance", __name__, url_prefix="/balance")

LAST_ENTRIES = 10
ENTRIES_PER_PAGE = 50
# `?page=all`: the whole statement, for printing, up to this many entries.
WHOLE = "all"
PRINTED_ENTRIES = 2_000


@bp.get("")
@login_required
def show() -> ResponseReturnValue:
    begin_snapshot()
    free_nanos, held_nanos = ledger.balance_and_held(current_user.id)
    last = account_entries.last_entries(current_user.id, count=LAST_ENTRIES, balance_nanos=free_nanos)
    return render_template(
        "balance/show.html",
        free_nanos=free_nanos,
        held_nanos=held_nanos,
        together_nanos=free_nanos + held_nanos,
        lines=statements.lines(last),
        open_requests=deposits.open_requests(current_user.id),
    )


@bp.get("/statement")
@login_required
def show_statement() -> ResponseReturnValue:
    try:
        period = _period()
    except PanelError as error:
        return _refused_period(error)
    found = _statement(period)
    can_print = found.entries <= PRINTED_ENTRIES
    is_whole = can_print and request.args.get("page") == WHOLE
    per_page = PRINTED_ENTRIES if is_whole else ENTRIES_PER_PAGE
    pages = max(1, -(-found.entries // per_page))
    page = min(_page_asked_for(), pages)
    shown = statements.page(current_user.id, found, skip=(page - 1) * per_page, most=per_page)
    months = statements.by_month(found)
    return render_template(
        "balance/statement.html",
        period=period,
        first=period.first.isoformat(),
        last=period.last.isoformat(),
        errors={},
        statement=found,
        is_checked=found.is_checked and shown.is_checked,
        lines=statements.lines(shown.entries),
        months=months if len(months) > 1 else [],
        per_page=ENTRIES_PER_PAGE,
        can_print=can_print,
        page=page,
        pages=pages,
    )


@bp.get("/statement.csv")
@login_required
def statement_csv() -> ResponseReturnValue:
    try:
        period = _period()
    except PanelError as error:
        return _refused_period(error)
    found = _statement(period)
    return csv_stream(
        f"statement-{period.first}-to-{period.last}.csv",
        head=["line", "at", "what", "order", "deposit", "reverses", "note", "out", "in", "balance"],
        rows=_csv_rows(found, period, customer_id=current_user.id),
    )


def _statement(period: Period) -> Statement:
    """The statement as of one moment, so that it adds up while money moves."""
    begin_snapshot()
    return statements.of_period(current_user.id, period)


def _csv_rows(found: Statement, period: Period, *, customer_id: int) -> Iterator[list[object]]:
    opening = money.plain(found.opening_nanos)
    closing = money.plain(found.closing_nanos)
    yield ["", period.first, "Opening balance", "", "", "", "", "", "", opening]
    for line in statements.all_lines(customer_id, found):
        yield _csv_row(line)
    yield ["", period.last, "Closing balance", "", "", "", "", "", "", closing]


def _csv_row(line: StatementLine) -> list[object]:
    entry = line.entry
    return [
        entry.id,
        entry.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        entry.kind.label,
        entry.order_id,
        line.reference,
        line.reverses,
        entry.note,
        money.plain(entry.out_nanos) if entry.out_nanos else "",
        money.plain(entry.in_nanos) if entry.in_nanos else "",
        money.plain(entry.balance_nanos),
    ]


def _period() -> Period:
    return parse_period(request.args.get("from", ""), request.args.get("to", ""), today=utc_now().date())


def _refused_period(error: PanelError) -> ResponseReturnValue:
    page = render_template(
        "balance/statement.html",
        period=this_month(utc_now().date()),
        first=request.args.get("from", ""),
        last=request.args.get("to", ""),
        errors=by_field(error),
        statement=None,
    )
    return page, 422


def _page_asked_for() -> int:
    text = request.args.get("page", "1")
    return max(1, whole_number(text, digits=6) or 1)
