"""What delays a tool's orders now: a provider that takes none, or an open incident.

The list of tools, a tool's page, the order form, the check page and the mass order use this state.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from panel.blueprints.shared import incident_banner
from panel.services.catalogue import tools as catalogue_tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.platform.incident_notices import OpenIncident


@dataclass(frozen=True, slots=True)
class ToolState:
    """Why a tool's orders wait or can be late; both empty for a tool that works."""

    is_held_back: bool
    incident: OpenIncident | None


def of_tool(tool: ToolOffer) -> ToolState:
    return of_tools([tool])[tool.tool_id]


def of_tools(tools: Iterable[ToolOffer]) -> dict[int, ToolState]:
    """The state of each tool, by its number."""
    version = catalogue_tools.version()
    return {
        tool.tool_id: ToolState(
            tool.is_held_back, incident_banner.delaying(tool.provider_id, catalogue_version=version)
        )
        for tool in tools
    }
