"""Time rules in the office: whether they are on hold, the orders they would end now, and resuming them."""

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel import app_context
from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import PanelError
from panel.services.orders import time_rules, timeouts
from panel.services.orders.time_rules import Cap
from panel.services.orders.timeouts import Due

bp = office_blueprint("time_rules", reads=Action.LOOK, changes=Action.RUN_SITE)


@bp.get("/time-rules")
def show() -> str:
    return _page()


@bp.post("/time-rules/resumption")
def resume() -> ResponseReturnValue:
    """Resume the rules, for at most as many orders as the operator saw; the cap applies to any that are due since."""
    waiting = whole_number(request.form.get("seen", ""), digits=9) or 0
    try:
        with transaction():
            waiting = min(waiting, _due().count)
            time_rules.resume(
                waiting=waiting, reason=request.form.get("reason", ""), actor=layout.actor(), now=utc_now()
            )
    except PanelError as error:
        return _page(by_field(error)), error.http_status
    flash(f"The time rules go on. The worker ends {waiting:,} now.")
    return redirect("/office/time-rules", code=303)


def _page(errors: dict[str, str] | None = None) -> str:
    settings = app_context.settings()
    cap = Cap(settings.time_rule_orders_an_hour, settings.time_rule_percent_an_hour)
    return render_template(
        "office/time_rules.html",
        hold=time_rules.current(now=utc_now()),
        due=_due(),
        cap=time_rules.cap_now(cap),
        dispatch_hours=settings.dispatch_hours,
        unconfirmed_hours=settings.unconfirmed_hours,
        errors=errors or {},
        reason=request.form.get("reason", ""),
    )


def _due() -> Due:
    settings = app_context.settings()
    return timeouts.due(
        unconfirmed_hours=settings.unconfirmed_hours, dispatch_hours=settings.dispatch_hours, now=utc_now()
    )
