"""Retirement of a tool from a date on, announced ahead: whom it concerns is shown first."""

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.office import confirmation
from panel.blueprints.office import tools as office_tools
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.confirmation import Confirmation
from panel.blueprints.office.forms import moment, operator, status_of, typed
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import formatting
from panel.domain.accounts.roles import Action
from panel.domain.errors import ExpiredForm, PanelError
from panel.services import audit_log
from panel.services.catalogue import scheduled_terms
from panel.services.catalogue.tools import ToolOffer
from panel.services.office.tool_editing import tool_retirement

bp = office_blueprint("tool_retirement", reads=Action.LOOK, changes=Action.MANAGE_CATALOGUE)

DATE, REASON = "retires_from", "retire_reason"


@bp.get("/tools/<slug>/retirement")
def back(slug: str) -> ResponseReturnValue:
    """Redirect a reload of the check page's address to the tool."""
    return redirect(url_for("office_tools.show", slug=office_tools.found(slug).slug), code=303)


@bp.post("/tools/<slug>/retirement")
def schedule(slug: str) -> ResponseReturnValue:
    """Show whom it concerns; once confirmed, announce it."""
    tool = office_tools.found(slug)
    try:
        at, reason = moment(typed(DATE), name=DATE), audit_log.checked_reason(typed(REASON))
        scheduled_terms.check_date(at, now=utc_now())
        if not confirmation.is_confirmed():
            return confirmation.page(_question(tool))
        with transaction():
            scheduled_terms.schedule_retirement(
                slug, effective_at=at, reason=reason, actor=operator().email, now=utc_now()
            )
    except PanelError as error:
        return _page(tool, error), status_of(error)
    flash("The retirement is scheduled. Customers can read it now.")
    return redirect(url_for("office_tools.show", slug=slug), code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The tool's page with what was typed, and the error."""
    return _page(office_tools.found((request.view_args or {})["slug"]), error), error.http_status


def _page(tool: ToolOffer, error: PanelError) -> str:
    field = {"reason": REASON, scheduled_terms.DATE_FIELD: DATE}.get(error.field or "", error.field or "")
    return office_tools.page(tool, {field: error.message})


def _question(tool: ToolOffer) -> Confirmation:
    found = tool_retirement.preview(tool.tool_id, now=utc_now())
    return Confirmation(
        title=f"Retire {tool.name}",
        lead="Customers read it from now on: on the tool’s page, in their order form, on the page Updates, in the API, "
        "and by email. Until then they can order. You can cancel it before it takes effect.",
        facts=[
            ("Takes no new orders from", f"{typed(DATE)} UTC"),
            ("Customers who ordered it in the last 90 days", formatting.count(found.customers)),
            ("Customers with it among their favorites", formatting.count(found.favorites)),
            ("Open orders, which go on", formatting.count(found.open_orders)),
            ("Reason, for the audit log", typed(REASON)),
        ],
        button="Schedule the retirement",
        away=url_for("office_tools.show", slug=tool.slug),
        is_danger=True,
    )
