"""Maintenance switch in the office: close ordering with a reason and an end, change it, and open it again."""

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import moment
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import ExpiredForm, PanelError
from panel.services import audit_log, maintenance

bp = office_blueprint("maintenance", reads=Action.LOOK, changes=Action.RUN_SITE)


@bp.get("/maintenance")
def show() -> ResponseReturnValue:
    return _page()


@bp.post("/maintenance")
def close() -> ResponseReturnValue:
    try:
        ends_at = moment(request.form.get("until", ""), name="until")
        with transaction():
            maintenance.close(
                reason=request.form.get("reason", ""), ends_at=ends_at, actor=layout.actor(), now=utc_now()
            )
    except PanelError as error:
        return _page(error), error.http_status
    flash("Ordering is closed. Orders already placed go on.")
    return redirect("/office/maintenance", code=303)


@bp.post("/maintenance/end")
def reopen() -> ResponseReturnValue:
    try:
        with transaction():
            maintenance.reopen(actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _page(error), error.http_status
    flash("Ordering is open again.")
    return redirect("/office/maintenance", code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with what was typed, and the error."""
    return _page(error), error.http_status


def _page(error: PanelError | None = None) -> str:
    closed = maintenance.current(now=utc_now())
    return render_template(
        "office/operations/maintenance.html",
        closed=closed,
        reason=request.form.get("reason", closed.reason if closed else ""),
        until=request.form.get("until", f"{closed.ends_at:%Y-%m-%d %H:%M}" if closed else ""),
        errors=by_field(error),
        max_reason_length=audit_log.MAX_REASON_LENGTH,
        max_days=maintenance.MAX_SPAN.days,
    )
