"""Tools as of a catalogue version, which the caller has read: one read for all who send orders of a tool.

Placing itself reads the tool again, with the customer's account locked. Names are of all tools.
"""

from dataclasses import dataclass

from sqlalchemy import select

from panel import app_context
from panel.db import table_of
from panel.db.committed_reads import CommittedRead
from panel.db.lru_cache import LRUCache
from panel.models import Tool
from panel.services.catalogue import tools
from panel.services.catalogue.tools import ToolOffer

TOOLS = table_of(Tool)

# An offer weighs some 3 kB.
MAX_TOOLS = 2_000


def by_slug(slug: str, *, catalogue_version: int) -> ToolOffer | None:
    """As `tools.find_any`."""
    return _cache().get_or_make((catalogue_version, slug), lambda: tools.find_any(slug))


def by_id(tool_id: int, *, catalogue_version: int) -> ToolOffer | None:
    """As `tools.offer`."""
    return _cache().get_or_make((catalogue_version, tool_id), lambda: tools.offer(tool_id))


def _cache() -> LRUCache[tuple[int, str | int], ToolOffer | None]:
    return app_context.once_per_app("panel.read_tools", lambda: LRUCache(MAX_TOOLS))


@dataclass(frozen=True, slots=True)
class ToolName:
    """Current name of a tool."""

    name: str
    slug: str


_TOOL_NAMES = CommittedRead(lambda: select(TOOLS.c.id, TOOLS.c.name, TOOLS.c.slug))


def tool_names() -> dict[int, ToolName]:
    """Names of all tools, including hidden ones, since orders keep their tool."""
    return {tool_id: ToolName(name, slug) for tool_id, name, slug in _TOOL_NAMES.fetch({})}
