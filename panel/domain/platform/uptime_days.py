"""Uptime per day: splits a period of a state into UTC days, and calculates the share of uptime.

Everything is in whole seconds, so that a component's days add up to the time since its first measurement.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from panel.domain.platform.component_states import State

SHOWN_DAYS = 90
SECOND = timedelta(seconds=1)
# Shares are counted in thousandths of a percent.
WHOLE = 100_000


@dataclass(frozen=True)
class DayTimes:
    """Seconds per state of one component on one day; empty if nothing is known."""

    day: date
    seconds: Mapping[State, int]

    @property
    def known_seconds(self) -> int:
        """Seconds that were measured, or that count as an outage because nobody measured."""
        return sum(seconds for state, seconds in self.seconds.items() if state is not State.UNKNOWN)

    @property
    def parts(self) -> list[tuple[State, int]]:
        """The states that occurred, best first, with their seconds."""
        return [(state, self.seconds[state]) for state in State if self.seconds.get(state)]

    @property
    def worst(self) -> State:
        """The day's label: its worst measured state, however short; "No data" only if nothing is known."""
        for state in (State.MAJOR, State.PARTIAL, State.DEGRADED, State.OPERATIONAL):
            if self.seconds.get(state):
                return state
        return State.UNKNOWN


@dataclass(frozen=True)
class DayRun:
    """Successive days that say the same, or one day with trouble and its times."""

    first: date
    last: date
    worst: State
    trouble: Sequence[tuple[State, int]]


@dataclass(frozen=True)
class Uptime:
    """Measured time, and the part of it without an outage."""

    up_seconds: int
    known_seconds: int

    @property
    def share(self) -> int:
        """In thousandths of a percent, rounded down: 100 % means not one second of outage."""
        return self.up_seconds * WHOLE // self.known_seconds

    @property
    def percent(self) -> str:
        """Such as `99.987`, or `100` without any outage."""
        whole, rest = divmod(self.share, 1_000)
        return str(whole) if self.share == WHOLE else f"{whole}.{rest:03}"


def split(since: datetime, until: datetime) -> Iterator[tuple[date, int]]:
    """Split a period into UTC days, each with its whole seconds."""
    begin, end = since.astimezone(UTC), until.astimezone(UTC)
    while begin < end:
        next_day = datetime.combine(begin.date() + timedelta(days=1), time.min, UTC)
        stop = min(next_day, end)
        seconds = (stop - begin) // SECOND
        if seconds:
            yield begin.date(), seconds
        begin = stop


def uptime(days: Sequence[DayTimes]) -> Uptime | None:
    """Uptime over these days; None without measurements."""
    known = sum(day.known_seconds for day in days)
    down = sum(seconds for day in days for state, seconds in day.seconds.items() if state.is_outage)
    return Uptime(known - down, known) if known else None


def day_runs(days: Sequence[DayTimes]) -> list[DayRun]:
    """The days, newest first. Those without any trouble in a row are one run, so that trouble is seen among ninety."""
    runs: list[DayRun] = []
    for day in reversed(days):
        trouble = [(state, seconds) for state, seconds in day.parts if state is not State.OPERATIONAL]
        trouble = [] if day.worst is State.UNKNOWN else trouble
        newer = runs[-1] if runs else None
        if newer and newer.worst is day.worst and not newer.trouble and not trouble:
            runs[-1] = DayRun(day.day, newer.last, day.worst, ())
        else:
            runs.append(DayRun(day.day, day.day, day.worst, trouble))
    return runs


def last_days(today: date, *, count: int = SHOWN_DAYS) -> list[date]:
    """This many days up to and including today, oldest first."""
    return [today - timedelta(days=back) for back in range(count - 1, -1, -1)]


def late_seconds(interval_seconds: int) -> int:
    """Maximum age of the newest measurement before measuring counts as stopped."""
    return interval_seconds + max(interval_seconds // 2, 5)
