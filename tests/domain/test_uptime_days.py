from datetime import date, timedelta

from panel.domain.platform.component_states import State
from panel.domain.platform.uptime_days import DayRun, DayTimes, day_runs

FIRST = date(2026, 11, 1)
GOOD, NOTHING = {State.OPERATIONAL: 86_400}, {}
BAD = {State.OPERATIONAL: 84_840, State.DEGRADED: 1_560}


def test_days_without_incident_are_one_range_and_each_other_day_is_listed() -> None:
    days = [NOTHING, NOTHING, GOOD, GOOD, GOOD, BAD, BAD, GOOD]

    runs = day_runs([DayTimes(FIRST + timedelta(days=place), seconds) for place, seconds in enumerate(days)])

    assert runs == [
        DayRun(date(2026, 11, 8), date(2026, 11, 8), State.OPERATIONAL, []),
        DayRun(date(2026, 11, 7), date(2026, 11, 7), State.DEGRADED, [(State.DEGRADED, 1_560)]),
        DayRun(date(2026, 11, 6), date(2026, 11, 6), State.DEGRADED, [(State.DEGRADED, 1_560)]),
        DayRun(date(2026, 11, 3), date(2026, 11, 5), State.OPERATIONAL, ()),
        DayRun(date(2026, 11, 1), date(2026, 11, 2), State.UNKNOWN, ()),
    ]


def test_a_day_that_was_measured_in_part_says_so() -> None:
    part = {State.OPERATIONAL: 80_000, State.UNKNOWN: 6_400}

    (run,) = day_runs([DayTimes(FIRST, part)])

    assert (run.worst, run.trouble) == (State.OPERATIONAL, [(State.UNKNOWN, 6_400)])
