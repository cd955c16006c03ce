"""Ledger search in the office: transfers with both accounts, their sums, and a CSV export."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office.access import office_blueprint
from panel.blueprints.shared.csv_files import csv_stream
from panel.db import begin_snapshot
from panel.domain import money
from panel.domain.accounts.roles import Action
from panel.domain.formatting import iso
from panel.domain.lists.list_filters import BadFilters
from panel.models import AccountKind, TransferKind
from panel.services.office import customers, ledger_filters, ledger_search
from panel.services.office.ledger import conditions as ledger_conditions
from panel.services.office.ledger_filters import LedgerFilters
from panel.services.office.ledger_search import LedgerRow

bp = office_blueprint("ledger", reads=Action.LOOK)

FIELDS = ("line", "order", "customer", "kind", "account", "q", "amount", "from", "to")
KINDS = [("", "Any kind"), *((kind.value, kind.label) for kind in TransferKind)]
ACCOUNTS = [
    ("", "Any account"),
    (AccountKind.CUSTOMER.value, "Customers’ accounts"),
    *((kind.value, name) for kind, name in ledger_search.HOUSE.items()),
]


@bp.get("/ledger")
def index() -> ResponseReturnValue:
    begin_snapshot()
    try:
        filters = ledger_filters.parse(request.args)
    except BadFilters as error:
        return _page(None, error.errors), 422
    return _page(filters, {})


@bp.get("/ledger.csv", action=Action.EXPORT)
def csv() -> ResponseReturnValue:
    try:
        filters = ledger_filters.parse(request.args)
    except BadFilters as error:
        return _page(None, error.errors), 422
    head = ["line", "at", "kind", "order", "from", "to", "amount", "reason", "note"]
    return csv_stream("ledger.csv", head=head, rows=(_row(line) for line in ledger_search.all_lines(filters)))


def _row(line: LedgerRow) -> list[object]:
    return [
        line.id,
        iso(line.at),
        line.kind.label,
        line.order_id,
        line.source.name,
        line.target.name,
        money.plain(line.amount_nanos),
        line.reason,
        line.note,
    ]


def _page(filters: LedgerFilters | None, errors: dict[str, str]) -> str:
    customer = customers.find(filters.customer) if filters and filters.customer else None
    return render_template(
        "office/ledger/index.html",
        filters=filters,
        customer=customer,
        page=ledger_search.page(filters) if filters else None,
        searched=ledger_conditions.SEARCHED_OF_CUSTOMER if customer else ledger_conditions.SEARCHED_LINES,
        typed={name: request.args.get(name, "") for name in FIELDS},
        errors=errors,
        kinds=KINDS,
        accounts=ACCOUNTS,
        account_label=dict(ACCOUNTS)[filters.account] if filters and filters.account else "",
    )
