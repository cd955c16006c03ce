"""The audit log as operators read it, and a file of it."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office.gate import office_blueprint
from panel.blueprints.spreadsheet import csv_stream
from panel.domain.filters import BadFilters
from panel.domain.words import iso
from panel.services.office import log_view
from panel.services.office.log_view import Filters

bp: Blueprint = office_blueprint("log")

FIELDS = (*log_view.WORDS, "from", "to")


@bp.get("/log")
def index() -> ResponseReturnValue:
    try:
        filters = log_view.parse(request.args)
    except BadFilters as error:
        return _page(None, error.errors), 422
    return _page(filters, {})


@bp.get("/log.csv")
def csv() -> ResponseReturnValue:
    try:
        filters = log_view.parse(request.args)
    except BadFilters as error:
        return _page(None, error.errors), 422
    lines = log_view.all_lines(filters)
    rows = ([line.id, iso(line.at), line.actor, line.act, line.subject, line.detail] for line in lines)
    return csv_stream("audit-log.csv", head=["line", "at", "actor", "act", "subject", "detail"], rows=rows)


def _page(filters: Filters | None, errors: dict[str, str]) -> str:
    return render_template(
        "office/log/index.html",
        filters=filters,
        page=log_view.page(filters) if filters else None,
        typed={name: request.args.get(name, "") for name in FIELDS},
        errors=errors,
    )
