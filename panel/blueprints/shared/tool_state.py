"""State of tools: what delays their orders now (a provider that takes none, an open incident), and announced terms.

The list of tools, a tool's page, the order form, the check page and the mass order use this state.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from flask.sansio.app import App

from panel.blueprints.shared import incident_banner
from panel.blueprints.shared.own_prices import own_prices
from panel.blueprints.shared.template_globals import me
from panel.db.lru_cache import LRUCache
from panel.services.catalogue import scheduled_terms
from panel.services.catalogue import tools as catalogue_tools
from panel.services.catalogue.scheduled_terms import PendingChange
from panel.services.catalogue.terms_changes import FieldChange
from panel.services.catalogue.tools import ToolOffer
from panel.services.platform.incident_notices import OpenIncident

EXTENSION = "panel.tool_state"
MAX_CATALOGUES = 4


@dataclass(frozen=True, slots=True)
class UpcomingTerms:
    """Announced terms as this customer reads them."""

    at: datetime
    fields: tuple[FieldChange, ...]
    is_retirement: bool

    @property
    def words(self) -> str:
        return ", ".join(field.words for field in self.fields)


@dataclass(frozen=True, slots=True)
class ToolState:
    """Why a tool's orders wait or can be late, both empty for a tool that works, and its announced terms."""

    is_held_back: bool
    incident: OpenIncident | None
    upcoming: UpcomingTerms | None


def init_app(app: App) -> None:
    app.extensions[EXTENSION] = LRUCache[int, Mapping[int, PendingChange]](MAX_CATALOGUES)


def of_tool(tool: ToolOffer) -> ToolState:
    return of_tools([tool])[tool.tool_id]


def of_tools(tools: Iterable[ToolOffer]) -> dict[int, ToolState]:
    """The state of each tool, by its number."""
    person = me()
    version = person.catalogue_version if person else catalogue_tools.version()
    return {
        tool.tool_id: ToolState(
            tool.is_held_back,
            incident_banner.delaying(tool.provider_id, catalogue_version=version),
            _upcoming(tool.tool_id, catalogue_version=version),
        )
        for tool in tools
    }


def _upcoming(tool_id: int, *, catalogue_version: int) -> UpcomingTerms | None:
    cache: LRUCache[int, Mapping[int, PendingChange]] = current_app.extensions[EXTENSION]
    found = cache.get_or_make(catalogue_version, _pending).get(tool_id)
    fields = found.fields(own_prices()) if found else ()
    return UpcomingTerms(found.effective_at, fields, found.is_retirement) if found and fields else None


def _pending() -> Mapping[int, PendingChange]:
    return {each.tool_id: each for each in scheduled_terms.pending()}
