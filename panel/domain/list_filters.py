"""List filters in the query string: days and page, parsed strictly and serialized in one form."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Self
from urllib.parse import urlencode

from panel.domain.date_range import Period, parse_day
from panel.domain.errors import BadInput

# The largest number that a row of the database can have.
LARGEST_ID = 2**63 - 1
# For a period without a first or a last day.
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2200, 12, 31)


class BadFilters(BadInput):
    """Something in the address cannot be read: a message for each field, under the empty name the rest."""

    code = "bad_filters"

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(next(iter(errors.values())))
        self.errors = errors


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysAndPage:
    """The days that narrow a list, and `after` which row its page begins. Each list adds what else narrows it."""

    first: date | None = None
    last: date | None = None
    after: int | None = None

    def named(self) -> Iterable[tuple[str, object]]:
        """What else narrows the list: the name in the address, and the value, which is empty where it is not set."""
        return ()

    @property
    def period(self) -> Period | None:
        if self.first is None and self.last is None:
            return None
        return Period(self.first or FIRST_DAY, self.last or LAST_DAY)

    def pairs(self) -> list[tuple[str, str]]:
        """What is set, as names and values of an address, without the page."""
        days = (("from", self.first and self.first.isoformat()), ("to", self.last and self.last.isoformat()))
        return [(name, str(value)) for name, value in (*self.named(), *days) if value]

    def query(self) -> str:
        """The query string, the same for the same filters and page."""
        page = [] if self.after is None else [("after", str(self.after))]
        return urlencode(self.pairs() + page)

    def at(self, after: int | None) -> Self:
        """The same filters on another page; None is the first."""
        return replace(self, after=after)


def days_of(given: Mapping[str, str], errors: dict[str, str]) -> tuple[date | None, date | None]:
    """The first and the last day asked for; what cannot be read is said in `errors`."""
    first, last = (_day(given.get(name, ""), name, errors) for name in ("from", "to"))
    if first and last and first > last:
        errors["from"] = "The first day is after the last day. Swap them or change one."
    return first, last


def is_row_number(text: str) -> bool:
    """Whether the text is a whole number that a row can have."""
    return text.isascii() and text.isdigit() and len(text) <= 19 and 0 < int(text) <= LARGEST_ID


def _day(text: str, field: str, errors: dict[str, str]) -> date | None:
    try:
        return parse_day(text, field=field) if text.strip() else None
    except BadInput as error:
        errors[field] = error.message
        return None
