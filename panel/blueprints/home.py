"""The landing page. A figure stands on it only when it was measured from this panel's own orders."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from panel.blueprints import json_ld
from panel.clock import utc_now
from panel.services import catalogue, measures
from panel.services.catalogue import ToolOffer

TOOLS_SHOWN = 3

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
        data=json_ld.site(),
    )


def _most_offered_first(tool: ToolOffer) -> tuple[bool, bool, str]:
    """Tools with refill and with cancellation come first, then by name."""
    return (not tool.can_refill, not tool.can_cancel, tool.name)
