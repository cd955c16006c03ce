"""Audit log page and its CSV export."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office.access import office_blueprint
from panel.blueprints.shared.csv_files import csv_stream
from panel.domain.accounts.roles import Action
from panel.domain.formatting import iso
from panel.domain.lists.list_filters import BadFilters
from panel.services.office import audit_log_search
from panel.services.office.audit_log_search import AuditLogFilters

bp = office_blueprint("audit_log", reads=Action.SEE_FIGURES)

FIELDS = (*audit_log_search.WORDS, "from", "to")


@bp.get("/audit-log")
def index() -> ResponseReturnValue:
    try:
        filters = audit_log_search.parse(request.args)
    except BadFilters as error:
        return _page(None, error.errors), 422
    return _page(filters, {})


@bp.get("/audit-log.csv", action=Action.EXPORT)
def csv() -> ResponseReturnValue:
    try:
        filters = audit_log_search.parse(request.args)
    except BadFilters as error:
        return _page(None, error.errors), 422
    lines = audit_log_search.all_lines(filters)
    rows = ([line.id, iso(line.at), line.actor, line.label, line.subject, line.detail, line.action] for line in lines)
    head = ["line", "at", "actor", "action", "subject", "detail", "stored action"]
    return csv_stream("audit-log.csv", head=head, rows=rows)


def _page(filters: AuditLogFilters | None, errors: dict[str, str]) -> str:
    return render_template(
        "office/audit_log/index.html",
        filters=filters,
        page=audit_log_search.page(filters) if filters else None,
        searched=audit_log_search.SEARCHED_LINES,
        typed={name: request.args.get(name, "") for name in FIELDS},
        errors=errors,
    )
