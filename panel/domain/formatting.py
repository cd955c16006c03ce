"""Formatting of numbers, times and durations for pages."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

# `strftime` takes several times as long, and a page formats a hundred times.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
# Seconds below which a duration is given to the second.
EXACT_BELOW = 120


def count(number: int) -> str:
    """A number with thousands separators: `1,204`."""
    return f"{number:,}"


def when(at: datetime) -> str:
    moment = _utc(at)
    return f"{day(moment)}, {moment.hour:02}:{moment.minute:02} UTC"


def short(at: datetime, *, year: int) -> str:
    """A time in a table: `27 Nov, 02:49`, or `27 Nov 2025` if it is not this year."""
    moment = _utc(at)
    begin = f"{moment.day} {_MONTHS[moment.month - 1][:3]}"
    return f"{begin}, {moment.hour:02}:{moment.minute:02}" if moment.year == year else f"{begin} {moment.year}"


def clock(at: datetime) -> str:
    return f"{_utc(at):%H:%M:%S} UTC"


def day(at: datetime) -> str:
    moment = _utc(at)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def day_of_year(of: date) -> str:
    """A day at the end of a chart: `7 November`."""
    return f"{of.day} {_MONTHS[of.month - 1]}"


def iso(at: datetime) -> str:
    """ISO 8601 for the `datetime` attribute of a `time` element."""
    return f"{_utc(at).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def duration(seconds: int) -> str:
    """A measured duration in its two largest units: `1 hour 5 minutes`.

    From two minutes on in whole minutes, rounded up: nobody needs the seconds, and no time may look too short.
    """
    span = timedelta(seconds=seconds if seconds < EXACT_BELOW else -(-seconds // 60) * 60)
    hours, rest = divmod(span.seconds, 3600)
    minutes, left = divmod(rest, 60)
    parts = [(span.days, "day"), (hours, "hour"), (minutes, "minute"), (left, "second")]
    first = next((place for place, (number, _unit) in enumerate(parts) if number), len(parts) - 1)
    named = [f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in parts[first : first + 2] if number]
    return " ".join(named) or "under a second"


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo is UTC else at.astimezone(UTC)


# Formats for the time a page was rendered; the response caches replace their placeholders.
STAMPS: Mapping[str, Callable[[datetime], str]] = {"iso": iso, "clock": clock, "when": when}
STAMP_MARKS = "panel.stamp_marks"
