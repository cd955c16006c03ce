"""The landing page. A figure stands on it only when it was measured from this panel's own orders."""

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from panel.blueprints import json_ld
from panel.clock import utc_now
from panel.domain.status import Status
from panel.services import catalogue, measures
from panel.services.catalogue import ToolOffer
from panel.services.platform import audits
from panel.services.platform import now as platform
from panel.services.worked_sums import worked_sum

TOOLS_SHOWN = 3
# What was not delivered in the worked example of a part delivery.
EXAMPLE_REMAINS = 400

bp = Blueprint("home", __name__)


@bp.get("/")
def show() -> ResponseReturnValue:
    now = utc_now()
    tools = sorted(catalogue.listed(), key=_most_offered_first)[:TOOLS_SHOWN]
    return render_template(
        "home.html",
        tools=[(tool, measures.time_to_start(tool.tool_id, now=now)) for tool in tools],
        share=measures.share_completed(now=now),
        window_days=measures.WINDOW.days,
        sum=worked_sum(Status.PARTIAL, remains=EXAMPLE_REMAINS),
        audit=audits.newest(now=now),
        platform=platform.summary(interval_seconds=current_app.config["PANEL"].probe_seconds, now=now),
        data=json_ld.site(),
    )


def _most_offered_first(tool: ToolOffer) -> tuple[bool, bool, str]:
    """Tools with refill and with cancellation come first, then by name."""
    return (not tool.can_refill, not tool.can_cancel, tool.name)
