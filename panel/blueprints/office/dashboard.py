"""Office dashboard: what needs attention, the most urgent first; today's figures; the first-run checklist."""

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from panel import app_context
from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.clock import utc_now
from panel.domain.accounts.roles import Action
from panel.services.office import setup_checklist, today

bp = office_blueprint("home", reads=Action.LOOK)
bp.record_once(lambda state: layout.init_app(state.app))


@bp.get("")
def index() -> ResponseReturnValue:
    if "live" in request.args:
        return layout.choose_updates("/office")
    region, _shown = _region()
    settings = app_context.settings()
    steps = setup_checklist.steps(sends_mail=settings.mail_server is not None)
    return render_template(
        "office/dashboard.html",
        region=region,
        is_live=layout.is_live(),
        today=today.figures(now=utc_now()),
        steps=steps,
        can_sell=setup_checklist.can_sell(steps),
    )


@bp.get("/live")
def live() -> Response:
    """304 when nothing new waits, else the region with its new hash."""
    return layout.region_alone(_region())


def _region() -> tuple[Markup, str]:
    return layout.region(
        "office/_queues.html",
        live_url="/office/live",
        label="Needs attention",
        waiting=[queue for queue in layout.waiting() if queue.count],
        clear=[queue for queue in layout.waiting() if not queue.count],
    )
