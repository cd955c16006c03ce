"""Caches of the order history, for when the page must be rendered again: its rows, live region and filter form.

Every key contains a version: that of the order, of the customer or of the catalogue. So nothing cached is ever out of
date. What each buys is in `tests/bench/RESULTS.md`.
"""

from collections.abc import Hashable

from flask import current_app
from flask.sansio.app import App
from markupsafe import Markup

from panel.db.lru_cache import LRUCache, NewestVersionCache
from panel.domain.status import Status
from panel.services.accounts.sessions import PageVersions
from panel.services.catalogue import read_tools
from panel.services.catalogue.read_tools import ToolName
from panel.services.orders import history as order_history

EXTENSION = "panel.history_cache"


class HistoryCaches:
    """The caches of one app, sized for 10,000 active customers."""

    def __init__(self) -> None:
        # A row weighs 1.5 kB, together 30 MB. Regions last longer, and rows cost little.
        self.rows: NewestVersionCache[tuple[Hashable, ...], str] = NewestVersionCache(20_000)
        # A region of 25 rows is 36 kB, together 18 MB. A customer's open windows ask for a new one at nearly the same
        # time, so few are needed; to compress more of them took a third of the time of making one.
        self.regions: LRUCache[Hashable, Markup] = LRUCache(500)
        # A form is about 4 kB, and one for all customers who ordered the same tools.
        self.forms: LRUCache[Hashable, Markup] = LRUCache(1_000)
        self.counts: LRUCache[tuple[int, int], dict[Status, int]] = LRUCache(10_000)
        # By the number of all orders of the customer: no order is ever deleted.
        self.tools_used: LRUCache[tuple[int, int], list[int]] = LRUCache(10_000)
        self.tool_names: LRUCache[int, dict[int, ToolName]] = LRUCache(4)


def init_app(app: App) -> None:
    app.extensions[EXTENSION] = HistoryCaches()


def of_app() -> HistoryCaches:
    caches: HistoryCaches = current_app.extensions[EXTENSION]
    return caches


def counts(versions: PageVersions) -> dict[Status, int]:
    """The customer's orders by status, read once for each of the customer's versions."""
    key = (versions.user_id, versions.state_version)
    return of_app().counts.get_or_make(key, lambda: order_history.counts_by_status(versions.user_id))


def tool_names(catalogue_version: int) -> dict[int, ToolName]:
    """Tool names by id, read once per catalogue version."""
    return of_app().tool_names.get_or_make(catalogue_version, read_tools.tool_names)
