"""Filters of the order history in the query string, parsed strictly and serialized in one form."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from panel.domain.lists.list_filters import MAX_ID, BadFilters, DaysAndPage, days_of, is_row_number
from panel.domain.status import Status, from_slug

MAX_SEARCH_LENGTH = 200

_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_SLUG = re.compile(r"[a-z0-9-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class OrderFilters(DaysAndPage):
    """Filters of a history, and its pagination cursor `after`."""

    status: Status | None = None
    tool: str = ""
    search: str = ""

    @property
    def is_narrow(self) -> bool:
        """Whether any filter other than the page is set."""
        return bool(self.status or self.tool or self.search or self.first or self.last)

    @property
    def is_narrow_beyond_status(self) -> bool:
        return replace(self, status=None).is_narrow

    @property
    def order_id(self) -> int | None:
        """The order id in the search text, if there is one."""
        return number_named(self.search, thing="order")

    def named(self) -> Iterable[tuple[str, object]]:
        return ("status", self.status and self.status.slug), ("tool", self.tool), ("q", self.search)


def number_named(text: str, *, thing: str) -> int | None:
    """The number in `62`, `#62`, `order 62` or `Order #62`, as written on pages and in emails; None for other text."""
    found = re.fullmatch(rf"(?:{thing}\b)?\s*#?\s*({_ID.pattern})", text.strip(), re.ASCII | re.IGNORECASE)
    return int(found[1]) if found and int(found[1]) <= MAX_ID else None


def parse(given: Mapping[str, str]) -> OrderFilters:
    """Parse the query string; empty values are ignored. Raises BadFilters with a message for each invalid field."""
    errors: dict[str, str] = {}
    status, tool = given.get("status", "").strip(), given.get("tool", "").strip()
    search, after = given.get("q", "").strip(), given.get("after", "").strip()
    wanted = from_slug(status.replace("_", "-"))
    if status and wanted is None:
        errors["status"] = "There is no such status. Choose one from the list."
    if tool and not _SLUG.fullmatch(tool):
        errors["tool"] = "There is no such tool. Choose one from the list."
    if len(search) > MAX_SEARCH_LENGTH or not search.isprintable():
        errors["q"] = f"Search for an order number or a part of a link, {MAX_SEARCH_LENGTH} characters at most."
    first, last = days_of(given, errors)
    if after and not is_row_number(after):
        errors[""] = "There is no such page of your orders. Go to the newest ones."
    if errors:
        raise BadFilters(errors)
    return OrderFilters(wanted, tool, search, first=first, last=last, after=int(after) if after else None)
