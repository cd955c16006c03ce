"""Times of states, day by day: how a stretch of time is divided among UTC days, and what share of it was up.

Whole seconds throughout, so that the days of a component add up to the time since its first measurement.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from panel.domain.component_states import State

SHOWN_DAYS = 90
SECOND = timedelta(seconds=1)
# Shares are counted in thousandths of a percent.
WHOLE = 100_000


@dataclass(frozen=True)
class DayTimes:
    """How long one component was in each state on one day, in seconds; nothing at all where nothing is known."""

    day: date
    seconds: Mapping[State, int]

    @property
    def known_seconds(self) -> int:
        """The time that was measured, or that counts as an outage because nobody did."""
        return sum(seconds for state, seconds in self.seconds.items() if state is not State.UNKNOWN)

    @property
    def parts(self) -> list[tuple[State, int]]:
        """The states that occurred, from the best, each with its seconds."""
        return [(state, self.seconds[state]) for state in State if self.seconds.get(state)]

    @property
    def worst(self) -> State:
        """What the day is called: its worst measured state, however short; "No data" only where nothing is known."""
        for state in (State.MAJOR, State.PARTIAL, State.DEGRADED, State.OPERATIONAL):
            if self.seconds.get(state):
                return state
        return State.UNKNOWN


@dataclass(frozen=True)
class Uptime:
    """The measured time that was no outage."""

    up_seconds: int
    known_seconds: int

    @property
    def share(self) -> int:
        """In thousandths of a percent, never rounded up: the whole means not one second of outage."""
        return self.up_seconds * WHOLE // self.known_seconds

    @property
    def percent(self) -> str:
        """Such as `99.987`, or `100` where no second was lost."""
        whole, rest = divmod(self.share, 1_000)
        return str(whole) if self.share == WHOLE else f"{whole}.{rest:03}"


def split(since: datetime, until: datetime) -> Iterator[tuple[date, int]]:
    """The UTC days that a stretch touches, each with the whole seconds that lie on it."""
    begin, end = since.astimezone(UTC), until.astimezone(UTC)
    while begin < end:
        next_day = datetime.combine(begin.date() + timedelta(days=1), time.min, UTC)
        stop = min(next_day, end)
        seconds = (stop - begin) // SECOND
        if seconds:
            yield begin.date(), seconds
        begin = stop


def uptime(days: Sequence[DayTimes]) -> Uptime | None:
    """Over all these days; None where nothing at all was measured."""
    known = sum(day.known_seconds for day in days)
    down = sum(seconds for day in days for state, seconds in day.seconds.items() if state.is_outage)
    return Uptime(known - down, known) if known else None


def last_days(today: date, *, count: int = SHOWN_DAYS) -> list[date]:
    """So many days up to and with today, the oldest first."""
    return [today - timedelta(days=back) for back in range(count - 1, -1, -1)]


def late_seconds(interval_seconds: int) -> int:
    """How old the newest measurement may be before it must be said that none is made."""
    return interval_seconds + max(interval_seconds // 2, 5)
