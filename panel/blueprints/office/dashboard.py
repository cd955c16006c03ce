"""Office dashboard: queues that need attention, the most urgent first."""

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint

bp = office_blueprint("home")
bp.record_once(lambda state: layout.init_app(state.app))


@bp.get("")
def index() -> ResponseReturnValue:
    if "live" in request.args:
        return layout.choose_updates("/office")
    region, _shown = _region()
    return render_template("office/dashboard.html", region=region, is_live=layout.is_live())


@bp.get("/live")
def live() -> Response:
    """304 when nothing new waits, else the region with its new hash."""
    return layout.region_alone(_region())


def _region() -> tuple[Markup, str]:
    return layout.region("office/_queues.html", live_url="/office/live", label="What waits", queues=layout.waiting())
