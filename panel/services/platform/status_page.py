"""Status page data: current states, daily states of the last 90 days, typical times and incidents."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from panel.db import db, table_of, timed_cache
from panel.domain.platform.component_states import COMPONENTS, PROVIDER_PREFIX, Component, State, needs_worker
from panel.domain.platform.uptime_days import DayTimes, Uptime, last_days, split, uptime
from panel.models import ComponentDay, Measurement
from panel.services import delivery_times
from panel.services.delivery_times import Measure
from panel.services.platform import current as present
from panel.services.platform import incident_reads
from panel.services.platform.current import ComponentNow, PlatformNow
from panel.services.platform.incident_reads import IncidentWithUpdates
from panel.services.platform.measurements import newest_at

TIMED_WITHIN = timedelta(hours=24)
TIMES_MAX_AGE = timedelta(minutes=1)
MIN_TIMES = 20
DAYS = table_of(ComponentDay)


@dataclass(frozen=True)
class Typical:
    """Median and 90th percentile of a probe's times."""

    median_ms: int
    p90_ms: int
    count: int


@dataclass(frozen=True)
class ComponentDays:
    """A component's row of the page."""

    now: ComponentNow
    days: tuple[DayTimes, ...]
    uptime: Uptime | None
    timed: str
    typical: Typical | None
    start: Measure | None

    @property
    def measured_days(self) -> int:
        return sum(day.known_seconds > 0 for day in self.days)


@dataclass(frozen=True)
class Board:
    """All data of the page."""

    present: PlatformNow
    rows: tuple[ComponentDays, ...]
    open_incidents: tuple[IncidentWithUpdates, ...]
    planned: tuple[IncidentWithUpdates, ...]
    past: tuple[IncidentWithUpdates, ...]


def read(*, interval_seconds: int, now: datetime) -> Board:
    """The page's data, cached for ten seconds and while the platform's version is the same."""
    standing = present.read(interval_seconds=interval_seconds, now=now)
    return timed_cache.cached(
        "board", lambda: _read(standing, interval_seconds=interval_seconds, now=now), version=standing.version, now=now
    )


def days_of(key: str, *, interval_seconds: int, now: datetime) -> tuple[DayTimes, ...]:
    """The last 90 days of a component, oldest first, including the current gap in measurements."""
    return _days({key}, interval_seconds=interval_seconds, now=now)[key]


def _read(standing: PlatformNow, *, interval_seconds: int, now: datetime) -> Board:
    keys = {each.key for each in standing.components}
    days = _days(keys, interval_seconds=interval_seconds, now=now)
    times = timed_cache.cached("times", lambda: _times(now=now), max_age=TIMES_MAX_AGE, now=now)
    return Board(
        present=standing,
        rows=tuple(
            ComponentDays(
                now=each,
                days=days[each.key],
                uptime=uptime(days[each.key]),
                timed=_timed(each.key),
                typical=times.get(each.key),
                start=_start(each.key, now=now),
            )
            for each in standing.components
        ),
        open_incidents=tuple(incident_reads.open_now()),
        planned=tuple(incident_reads.planned(now=now)),
        past=tuple(incident_reads.past(now=now)),
    )


def _days(keys: set[str], *, interval_seconds: int, now: datetime) -> dict[str, tuple[DayTimes, ...]]:
    shown = last_days(now.date())
    known: dict[tuple[str, date], dict[State, int]] = {}
    columns = [DAYS.c[f"{state}_seconds"] for state in State]
    rows = db.session.execute(
        select(DAYS.c.component, DAYS.c.day, *columns).where(DAYS.c.component.in_(keys), DAYS.c.day >= shown[0])
    )
    for component, day, *seconds in rows:
        known[component, day] = dict(zip(State, seconds, strict=True))
    _add_present_gap(known, keys, interval_seconds=interval_seconds, now=now)
    return {key: tuple(DayTimes(day, known.get((key, day), {})) for day in shown) for key in keys}


def _add_present_gap(
    known: dict[tuple[str, date], dict[State, int]], keys: set[str], *, interval_seconds: int, now: datetime
) -> None:
    """Add the time since the last round, counted as it will be once the worker is back."""
    at = newest_at(now=now)
    if at is None or not present.is_late(at, interval_seconds=interval_seconds, now=now):
        return
    for key in keys:
        state = State.MAJOR if needs_worker(key) else State.UNKNOWN
        for day, seconds in split(at, now):
            times = known.setdefault((key, day), {})
            times[state] = times.get(state, 0) + seconds


def _timed(key: str) -> str:
    return "" if key.startswith(PROVIDER_PREFIX) else COMPONENTS[Component(key)].timed


def _start(key: str, *, now: datetime) -> Measure | None:
    """Typical time to start of customers' orders: of all providers for Dispatch, or of one provider."""
    if key == Component.DISPATCH:
        return delivery_times.time_to_start(now=now)
    if key.startswith(PROVIDER_PREFIX):
        return delivery_times.time_to_start(provider_id=int(key.removeprefix(PROVIDER_PREFIX)), now=now)
    return None


def _times(*, now: datetime) -> dict[str, Typical]:
    """Typical times of the last day's probes, where there are enough of them."""
    values: dict[str, list[int]] = {}
    rows = db.session.execute(
        select(Measurement.component, Measurement.value_ms).where(
            Measurement.at > now - TIMED_WITHIN, Measurement.at <= now, Measurement.value_ms.is_not(None)
        )
    )
    for component, value_ms in rows:
        values.setdefault(component, []).append(value_ms or 0)
    return {
        component: Typical(*delivery_times.median_and_p90(sorted(times)), len(times))
        for component, times in values.items()
        if len(times) >= MIN_TIMES
    }
