"""Tools as of a catalogue version, which the caller has read: one read for all who send orders of a tool.

Placing itself reads the tool again, with the customer's account locked.
"""

from panel import app_context
from panel.db.lru_cache import LRUCache
from panel.services.catalogue import tools
from panel.services.catalogue.tools import ToolOffer

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
