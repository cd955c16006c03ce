"""Home page. It only shows figures that were measured from this panel's own orders."""

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from panel.blueprints.shared import structured_data
from panel.clock import utc_now
from panel.domain.status import Status
from panel.services import delivery_times
from panel.services.catalogue import tools as catalogue_tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.help.worked_examples import worked_sum
from panel.services.platform import audit_runs
from panel.services.platform import current as platform

TOOLS_SHOWN = 3
# What was not delivered in the worked example of a part delivery.
EXAMPLE_REMAINS = 400

bp = Blueprint("home", __name__)


@bp.get("/")
def show() -> ResponseReturnValue:
    now = utc_now()
    tools = sorted(catalogue_tools.listed(), key=_most_offered_first)[:TOOLS_SHOWN]
    return render_template(
        "home.html",
        tools=[(tool, delivery_times.time_to_start(tool.tool_id, now=now)) for tool in tools],
        share=delivery_times.share_completed(now=now),
        window_days=delivery_times.WINDOW.days,
        sum=worked_sum(Status.PARTIAL, remains=EXAMPLE_REMAINS),
        audit=audit_runs.newest(now=now),
        platform=platform.summary(interval_seconds=current_app.config["PANEL"].probe_seconds, now=now),
        data=structured_data.site(),
    )


def _most_offered_first(tool: ToolOffer) -> tuple[bool, bool, str]:
    """Tools with refill and with cancellation come first, then by name."""
    return (not tool.can_refill, not tool.can_cancel, tool.name)
