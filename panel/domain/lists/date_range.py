"""Date range of whole days in UTC, inclusive."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from panel.domain.errors import BadInput

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 2000, 2200


@dataclass(frozen=True)
class Period:
    first: date
    last: date

    @property
    def since(self) -> datetime:
        """Start of the first day."""
        return datetime.combine(self.first, time.min, UTC)

    @property
    def until(self) -> datetime:
        """End of the range, exclusive: the start of the day after the last."""
        return datetime.combine(self.last + timedelta(days=1), time.min, UTC)

    @property
    def last_moment(self) -> datetime:
        """A time on the last day, for displaying that day."""
        return self.until - timedelta(seconds=1)


def this_month(today: date) -> Period:
    """From the first of the month to today."""
    return Period(today.replace(day=1), today)


def parse_period(first: str, last: str, *, today: date) -> Period:
    """Parse two days; an empty one defaults to this month's. Raises BadInput with the field `from` or `to`."""
    usual = this_month(today)
    period = Period(_parse(first, usual.first, field="from"), _parse(last, usual.last, field="to"))
    if period.first > period.last:
        raise BadInput("The first day is after the last day. Swap them or change one.", field="from")
    return period


def _parse(text: str, usual: date, *, field: str) -> date:
    return parse_day(text, field=field) if text.strip() else usual


def parse_day(text: str, *, field: str) -> date:
    """Parse a day such as `2026-11-20`. Raises BadInput with the field."""
    text = text.strip()
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise BadInput("This is not a day we know. Write it as year-month-day, such as 2026-11-20.", field=field)
    return day
