"""Measurements: every second since the first one has one state on one day, including gaps and midnights."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.platform.component_states import Component, Finding, State
from panel.domain.platform.uptime_days import DayTimes, last_days, late_seconds, split, uptime
from panel.models import ComponentDay, Measurement
from panel.services.platform import measurements
from tests.support.factories import NOON

MINUTE = timedelta(minutes=1)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.both_engines
def test_rounds_of_a_day_add_up_to_the_time_since_the_first() -> None:
    for minute, state in enumerate([State.OPERATIONAL, State.OPERATIONAL, State.DEGRADED, State.MAJOR]):
        record(state, at=NOON + minute * MINUTE)

    assert times_of(Component.SITE) == {date(2026, 11, 20): {"operational": 120, "degraded": 60, "major": 60}}


def test_round_over_midnight_counts_on_both_days() -> None:
    record(State.OPERATIONAL, at=MIDNIGHT - 20 * timedelta(seconds=1))

    record(State.MAJOR, at=MIDNIGHT + 40 * timedelta(seconds=1))

    assert times_of(Component.SITE) == {
        date(2026, 11, 20): {"operational": 60, "major": 20},
        date(2026, 11, 21): {"major": 40},
    }


@pytest.mark.both_engines
def test_gap_is_an_outage_of_what_the_worker_does_and_unknown_for_the_rest() -> None:
    record(State.OPERATIONAL, at=NOON)

    gap = record(State.OPERATIONAL, at=NOON + 10 * MINUTE)

    assert gap == measurements.Gap(NOON, NOON + 9 * MINUTE)
    day = date(2026, 11, 20)
    assert times_of(Component.DISPATCH)[day] == {"operational": 120, "major": 540}
    assert times_of(Component.SITE)[day] == {"operational": 120, "unknown": 540}


def test_gap_of_days_fills_each_day_and_no_more_than_ninety() -> None:
    record(State.OPERATIONAL, at=NOON)

    record(State.OPERATIONAL, at=NOON + timedelta(days=200))

    days = times_of(Component.DISPATCH)
    outage = sum(times.get("major", 0) for times in days.values())
    assert outage == 90 * 86_400 - 60
    assert days[date(2027, 6, 1)] == {"major": 86_400}


def test_round_just_late_is_no_gap() -> None:
    record(State.OPERATIONAL, at=NOON)

    assert record(State.OPERATIONAL, at=NOON + timedelta(seconds=late_seconds(60))) is None

    assert times_of(Component.DISPATCH) == {date(2026, 11, 20): {"operational": 60 + late_seconds(60)}}


def test_second_round_at_once_is_dropped() -> None:
    record(State.OPERATIONAL, at=NOON)

    record(State.MAJOR, at=NOON + timedelta(seconds=5))

    assert times_of(Component.SITE) == {date(2026, 11, 20): {"operational": 60}}


def test_rows_of_rounds_are_kept_for_two_days_and_days_for_longer() -> None:
    record(State.OPERATIONAL, at=NOON)

    record(State.OPERATIONAL, at=NOON + timedelta(days=3))

    assert db.session.scalar(select(func.min(Measurement.at))) == NOON + timedelta(days=3)
    assert date(2026, 11, 20) in times_of(Component.SITE)


@given(
    st.lists(
        st.tuples(st.integers(1, 200_000), st.sampled_from(list(State))),
        min_size=1,
        max_size=6,
    )
)
def test_every_second_is_counted_once(rounds: list[tuple[int, State]]) -> None:
    with transaction():
        db.session.execute(ComponentDay.__table__.delete())  # type: ignore[attr-defined]
        db.session.execute(Measurement.__table__.delete())  # type: ignore[attr-defined]
    at, first = NOON, None
    for pause, state in rounds:
        at += timedelta(seconds=pause)
        record(state, at=at)
        first = first or at

    newest = measurements.newest_at(now=at)
    assert first is not None and newest is not None
    for component in (Component.SITE, Component.DISPATCH):
        counted = sum(sum(times.values()) for times in times_of(component).values())
        assert counted == (newest - first).total_seconds() + 60
    assert all(sum(times.values()) <= 86_400 for times in times_of(Component.SITE).values())


@given(st.integers(0, 40_000_000), st.integers(0, 400_000))
def test_split_gives_each_day_its_seconds_and_loses_none(later: int, seconds: int) -> None:
    since = NOON + timedelta(seconds=later)

    days = list(split(since, since + timedelta(seconds=seconds)))

    assert sum(count for _day, count in days) == seconds
    assert [day for day, _count in days] == sorted({day for day, _count in days})
    assert all(0 < count <= 86_400 for _day, count in days)


def test_uptime_is_of_what_was_measured_and_never_rounded_up() -> None:
    day = last_days(date(2026, 11, 20), count=1)[0]
    nearly = DayTimes(day, {State.OPERATIONAL: 86_399, State.MAJOR: 1, State.UNKNOWN: 500})

    assert uptime([DayTimes(day, {State.UNKNOWN: 60}), DayTimes(day, {})]) is None
    assert uptime([nearly]).percent == "99.998"  # type: ignore[union-attr]
    assert uptime([DayTimes(day, {State.DEGRADED: 60})]).percent == "100"  # type: ignore[union-attr]
    assert (nearly.worst, DayTimes(day, {}).worst) == (State.MAJOR, State.UNKNOWN)


def record(state: State, *, at: datetime) -> measurements.Gap | None:
    findings = [Finding(Component.SITE, state), Finding(Component.DISPATCH, state)]
    with transaction():
        return measurements.record(findings, interval_seconds=60, now=at)


def times_of(component: str) -> dict[date, dict[str, int]]:
    db.session.rollback()
    rows = db.session.scalars(select(ComponentDay).where(ComponentDay.component == component))
    return {row.day: {state: count for state in State if (count := getattr(row, f"{state}_seconds"))} for row in rows}
