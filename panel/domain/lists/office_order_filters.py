"""Filters of the office's orders table in the query string, parsed strictly and serialized in one form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from panel.domain.lists import order_filters
from panel.domain.lists.list_filters import MAX_ID, BadFilters
from panel.domain.lists.order_filters import OrderFilters

LONGEST = 200
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
# Names of queues that bookmarks may still hold.
FORMER_QUEUES = {"stuck": "stalled", "by-hand": "manual"}
_OWN = {"q", "status", "tool", "from", "to", "after"}


@dataclass(frozen=True, slots=True)
class OfficeOrderFilters:
    """Filters of the table: those of a customer's history, plus customer, assignee and queue."""

    filters: OrderFilters
    provider: int | None = None
    customer: str = ""
    queue: str = ""

    @property
    def after(self) -> int | None:
        return self.filters.after

    @property
    def is_narrow(self) -> bool:
        return bool(self.filters.is_narrow or self.provider or self.customer or self.queue)

    @property
    def email(self) -> str:
        """The search as an email address or part of one; empty if it can't be one."""
        return self.filters.search.lower() if "@" in self.filters.search else ""

    def pairs(self) -> list[tuple[str, str]]:
        """The filters that are set, as query parameters, without the page."""
        own = (
            ("provider", str(self.provider) if self.provider is not None else ""),
            ("customer", self.customer),
            ("queue", self.queue),
        )
        return [*self.filters.pairs(), *((name, value) for name, value in own if value)]

    def query(self) -> str:
        page = [] if self.after is None else [("after", str(self.after))]
        return urlencode(self.pairs() + page)

    def at(self, after: int | None) -> "OfficeOrderFilters":
        """The same filters on another page; None is the first."""
        return replace(self, filters=self.filters.at(after))


def parse(given: Mapping[str, str], *, queues: tuple[str, ...]) -> OfficeOrderFilters:
    """Parse the query string. Raises BadFilters with a message for each invalid field."""
    errors: dict[str, str] = {}
    filters = OrderFilters()
    try:
        filters = order_filters.parse({name: value for name, value in given.items() if name in _OWN})
    except BadFilters as error:
        errors |= error.errors
    provider, queue = given.get("provider", "").strip(), given.get("queue", "").strip()
    queue = FORMER_QUEUES.get(queue, queue)
    customer = given.get("customer", "").strip().lower()
    if provider and not (_NUMBER.fullmatch(provider) and 0 < int(provider) <= MAX_ID):
        errors["provider"] = "There is no such provider. Choose one from the list."
    if queue and queue not in queues:
        errors["queue"] = "There is no such queue. Choose one from the list."
    if len(customer) > LONGEST or not customer.isprintable():
        errors["customer"] = f"Write the email of one customer, {LONGEST} characters at most."
    if errors:
        raise BadFilters(errors)
    return OfficeOrderFilters(filters, int(provider) if provider else None, customer, queue)
