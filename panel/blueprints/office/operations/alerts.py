"""Alerts in the office: what is true now, and which alerts the operator wants."""

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.alerts import AlertKind
from panel.services.alerts import recipients, rounds

bp = office_blueprint("alerts")


@bp.get("/alerts")
def show() -> ResponseReturnValue:
    return render_template(
        "office/operations/alerts.html",
        alerts=rounds.present(now=utc_now()),
        choices=recipients.choices(layout.operator_id()),
        email=layout.actor(),
    )


@bp.post("/alerts")
def choose() -> ResponseReturnValue:
    wanted = [kind for kind in AlertKind if kind in request.form]
    with transaction():
        recipients.choose(layout.operator_id(), wanted=wanted)
    flash("Your choice of alerts is saved.")
    return redirect("/office/alerts", code=303)
