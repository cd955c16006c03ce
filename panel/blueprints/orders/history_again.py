"""What a rendered page or live region of the history leaves for the middleware, to be rendered again without Flask.

When nothing but orders and balance changed, as it usually is, only the region is another one.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from flask import request

from panel.blueprints.orders import history_cache, history_region
from panel.blueprints.orders.history_page import PersonsPage
from panel.blueprints.shared import incident_banner
from panel.blueprints.shared.htmx import REGION_TAG
from panel.domain.lists.order_filters import OrderFilters
from panel.services.accounts.sessions import LoggedIn

# WSGI environ key.
RENDERED = "panel.rendered_history"


class RenderedAgain(NamedTuple):
    """The text of a response, and the headers in which it differs from the one before."""

    text: str
    headers: dict[str, str]


class PageFacts(NamedTuple):
    """What the page around the region depends on. With other orders come other tools, filters and incidents."""

    orders: int
    has_rows: bool
    polls: bool


def facts_of(person: LoggedIn, region: str) -> PageFacts:
    """The facts for this person, whose page has this region."""
    orders = sum(history_cache.counts(person.page_versions).values())
    return PageFacts(orders, history_region.has_rows(region), history_region.polls(region))


@dataclass(frozen=True, slots=True)
class RenderedHistory:
    """What was rendered for this person: a page, or without one the region alone."""

    person: LoggedIn
    filters: OrderFilters
    is_live: bool
    page: PersonsPage | None = None
    facts: PageFacts | None = None

    def leave_for_middleware(self) -> None:
        """Not while ordering is closed, which ends by the clock."""
        if incident_banner.closed_ordering() is None:
            request.environ[RENDERED] = self

    def again(self, person: LoggedIn) -> RenderedAgain | None:
        """The same for this person as they are now. None: more has changed, so Flask must render it."""
        before = self.person
        if replace(person, state_version=before.state_version, balance_nanos=before.balance_nanos) != before:
            return None
        region = history_region.region(self.filters, person, is_live=self.is_live)
        if self.page is None:
            return RenderedAgain(region, {REGION_TAG: history_region.etag(self.filters, person)})
        is_same_page = facts_of(person, region) == self.facts
        return RenderedAgain(self.page.filled(person, region), {}) if is_same_page else None
