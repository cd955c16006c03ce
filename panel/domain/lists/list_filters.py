"""List filters in the query string: days and page, parsed strictly and serialized in one form."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Self
from urllib.parse import urlencode

from panel.domain.errors import BadInput
from panel.domain.lists.date_range import Period, parse_day

# The largest possible row id in the database.
MAX_ID = 2**63 - 1
# For a date range without a first or last day.
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2200, 12, 31)


class BadFilters(BadInput):
    """Invalid query string: a message per field, and under the empty name for everything else."""

    code = "bad_filters"

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(next(iter(errors.values())))
        self.errors = errors


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysAndPage:
    """Date range and pagination cursor (`after`) of a list. Each list adds its own filters."""

    first: date | None = None
    last: date | None = None
    after: int | None = None

    def named(self) -> Iterable[tuple[str, object]]:
        """Further filters: query parameter and value, empty if not set."""
        return ()

    @property
    def period(self) -> Period | None:
        if self.first is None and self.last is None:
            return None
        return Period(self.first or FIRST_DAY, self.last or LAST_DAY)

    def pairs(self) -> list[tuple[str, str]]:
        """The filters that are set, as query parameters, without the page."""
        days = (("from", self.first and self.first.isoformat()), ("to", self.last and self.last.isoformat()))
        return [(name, str(value)) for name, value in (*self.named(), *days) if value]

    def query(self) -> str:
        """Query string; equal filters and page give an equal one."""
        page = [] if self.after is None else [("after", str(self.after))]
        return urlencode(self.pairs() + page)

    def at(self, after: int | None) -> Self:
        """The same filters on another page; None is the first."""
        return replace(self, after=after)


def days_of(given: Mapping[str, str], errors: dict[str, str]) -> tuple[date | None, date | None]:
    """The first and last day; what can't be parsed is added to `errors`."""
    first, last = (_day(given.get(name, ""), name, errors) for name in ("from", "to"))
    if first and last and first > last:
        errors["from"] = "The first day is after the last day. Swap them or change one."
    return first, last


def is_row_number(text: str) -> bool:
    """Whether the text is a valid row id."""
    return text.isascii() and text.isdigit() and len(text) <= 19 and 0 < int(text) <= MAX_ID


def _day(text: str, field: str, errors: dict[str, str]) -> date | None:
    try:
        return parse_day(text, field=field) if text.strip() else None
    except BadInput as error:
        errors[field] = error.message
        return None
