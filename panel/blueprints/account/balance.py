"""Balance and statement pages of a customer."""

from collections.abc import Sequence

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.csv_files import csv_file
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import begin_snapshot
from panel.domain import money
from panel.domain.errors import PanelError
from panel.domain.lists.date_range import Period, parse_period, this_month
from panel.services.money import deposits, ledger, statements
from panel.services.money.ledger import Entry, Statement
from panel.services.money.statements import StatementLine

bp = Blueprint("balance", __name__, url_prefix="/balance")

LAST_ENTRIES = 10
ENTRIES_PER_PAGE = 50
# `?page=all`: the whole statement, for printing.
WHOLE = "all"


@bp.get("")
@login_required
def show() -> ResponseReturnValue:
    begin_snapshot()
    free_nanos = ledger.balance_nanos(current_user.id)
    held_nanos = ledger.held_nanos(current_user.id)
    return render_template(
        "balance/show.html",
        free_nanos=free_nanos,
        held_nanos=held_nanos,
        together_nanos=free_nanos + held_nanos,
        lines=_lines(ledger.last_entries(current_user.id, count=LAST_ENTRIES)),
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
    is_whole = request.args.get("page") == WHOLE
    page = min(_page_asked_for(), _pages(found))
    shown = found.entries if is_whole else found.entries[(page - 1) * ENTRIES_PER_PAGE : page * ENTRIES_PER_PAGE]
    months = statements.by_month(found)
    return render_template(
        "balance/statement.html",
        period=period,
        first=period.first.isoformat(),
        last=period.last.isoformat(),
        errors={},
        statement=found,
        in_nanos=sum(entry.in_nanos for entry in found.entries),
        out_nanos=sum(entry.out_nanos for entry in found.entries),
        lines=_lines(shown),
        months=months if len(months) > 1 else [],
        per_page=ENTRIES_PER_PAGE,
        page=page,
        pages=1 if is_whole else _pages(found),
    )


@bp.get("/statement.csv")
@login_required
def statement_csv() -> ResponseReturnValue:
    try:
        period = _period()
    except PanelError as error:
        return _refused_period(error)
    found = _statement(period)
    return csv_file(
        f"statement-{period.first}-to-{period.last}.csv",
        head=["line", "at", "what", "order", "top_up", "reverses", "note", "out", "in", "balance"],
        rows=_csv_rows(found, period),
    )


def _statement(period: Period) -> Statement:
    """The statement as of one moment, so that it adds up while money moves."""
    begin_snapshot()
    return ledger.statement(current_user.id, since=period.since, until=period.until)


def _csv_rows(found: Statement, period: Period) -> list[list[object]]:
    opening = money.plain(found.opening_nanos)
    closing = money.plain(found.closing_nanos)
    return [
        ["", period.first, "Opening balance", "", "", "", "", "", "", opening],
        *[_csv_row(line) for line in _lines(found.entries)],
        ["", period.last, "Closing balance", "", "", "", "", "", "", closing],
    ]


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


def _lines(entries: Sequence[Entry]) -> list[StatementLine]:
    return statements.lines(entries, customer_id=current_user.id)


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


def _pages(found: Statement) -> int:
    return max(1, -(-len(found.entries) // ENTRIES_PER_PAGE))


def _page_asked_for() -> int:
    text = request.args.get("page", "1")
    return max(1, whole_number(text, digits=6) or 1)
