"""Which orders of a history are asked for: what stands in the address, read strictly and written back in one way."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode

from panel.domain.errors import BadInput
from panel.domain.period import Period, parse_day
from panel.domain.status import Status, from_slug

LONGEST_SEARCH = 200
LARGEST_ID = 2**63 - 1
# For a period without a first or a last day.
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2200, 12, 31)

_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_SLUG = re.compile(r"[a-z0-9-]{1,100}", re.ASCII)


class BadFilters(BadInput):
    """Something in the address cannot be read: a message for each field, under the empty name the rest."""

    code = "bad_filters"

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(next(iter(errors.values())))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a history, and `after` which order the page begins."""

    status: Status | None = None
    tool: str = ""
    search: str = ""
    first: date | None = None
    last: date | None = None
    after: int | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether some orders may be left out, other than by the page."""
        return bool(self.status or self.tool or self.search or self.first or self.last)

    @property
    def is_narrow_beyond_status(self) -> bool:
        return replace(self, status=None).is_narrow

    @property
    def period(self) -> Period | None:
        if self.first is None and self.last is None:
            return None
        return Period(self.first or FIRST_DAY, self.last or LAST_DAY)

    @property
    def order_id(self) -> int | None:
        """The order that the search names by its number, if it can be read so."""
        number = self.search.removeprefix("#")
        return int(number) if _ID.fullmatch(number) and int(number) <= LARGEST_ID else None

    def pairs(self) -> list[tuple[str, str]]:
        """What is set, as names and values of an address, without the page."""
        given = (
            ("status", self.status.slug if self.status else ""),
            ("tool", self.tool),
            ("q", self.search),
            ("from", self.first.isoformat() if self.first else ""),
            ("to", self.last.isoformat() if self.last else ""),
        )
        return [(name, value) for name, value in given if value]

    def query(self) -> str:
        """The query string, the same for the same filters and page."""
        page = [] if self.after is None else [("after", str(self.after))]
        return urlencode(self.pairs() + page)

    def at(self, after: int | None) -> "Filters":
        """The same filters on another page; None is the first."""
        return replace(self, after=after)


def parse(given: Mapping[str, str]) -> Filters:
    """The filters of an address; an empty value is none. Raises BadFilters with a message for each bad field."""
    errors: dict[str, str] = {}
    status, tool = given.get("status", "").strip(), given.get("tool", "").strip()
    search, after = given.get("q", "").strip(), given.get("after", "").strip()
    wanted = from_slug(status.replace("_", "-"))
    if status and wanted is None:
        errors["status"] = "There is no such status. Choose one from the list."
    if tool and not _SLUG.fullmatch(tool):
        errors["tool"] = "There is no such tool. Choose one from the list."
    if len(search) > LONGEST_SEARCH or not search.isprintable():
        errors["q"] = f"Search for an order number or a part of a link, {LONGEST_SEARCH} characters at most."
    first, last = (_day(given.get(name, ""), name, errors) for name in ("from", "to"))
    if first and last and first > last:
        errors["from"] = "The first day is after the last day. Swap them or change one."
    if after and not (_ID.fullmatch(after) and 0 < int(after) <= LARGEST_ID):
        errors[""] = "There is no such page of your orders. Go to the newest ones."
    if errors:
        raise BadFilters(errors)
    return Filters(wanted, tool, search, first, last, int(after) if after else None)


def _day(text: str, field: str, errors: dict[str, str]) -> date | None:
    if not text.strip():
        return None
    try:
        return parse_day(text, field=field)
    except BadInput as error:
        errors[field] = error.message
        return None
