"""Charts: a bar per day, a column per value, and nothing outside of the chart."""

import re
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from panel.domain import charts
from panel.domain.platform.component_states import State
from panel.domain.platform.uptime_days import DayTimes, last_days

DAYS = last_days(date(2026, 11, 20))

times = st.dictionaries(st.sampled_from(list(State)), st.integers(1, 40_000), max_size=5)


def test_ninety_days_without_data_are_one_run_of_stubs() -> None:
    bars = charts.day_bars([DayTimes(day, {}) for day in DAYS])

    assert [(path.state, path.d) for path in bars.paths] == [(State.UNKNOWN, "M0.5 25h360")]


def test_outage_is_visible_on_the_bar_of_its_day_however_short() -> None:
    seconds = {State.OPERATIONAL: 86_390, State.MAJOR: 10}

    bars = charts.day_bars([DayTimes(DAYS[0], {State.OPERATIONAL: 60}), DayTimes(DAYS[1], seconds)])

    assert [(path.state, path.d) for path in bars.paths] == [
        (State.OPERATIONAL, "M0.5 14h8"),
        (State.MAJOR, "M6 28v-10"),
    ]


@given(st.lists(times, min_size=90, max_size=90))
def test_bars_cover_each_day_once_and_stay_inside(seconds: list[dict[State, int]]) -> None:
    days = [DayTimes(day, each) for day, each in zip(DAYS, seconds, strict=True)]

    bars = charts.day_bars(days)

    chart = {path.state: path.d for path in bars.paths}
    runs = [
        (int(begin), int(length))
        for state in (State.OPERATIONAL, State.UNKNOWN)
        for begin, length in re.findall(r"M(\d+)\.5 \d+h(\d+)", chart.get(state, ""))
    ]
    covered = sorted(place for begin, length in runs for place in range(begin, begin + length, charts.DAY_WIDTH))
    assert covered == list(range(0, 360, charts.DAY_WIDTH))
    for state in (State.DEGRADED, State.PARTIAL, State.MAJOR):
        for _x, foot, tall in re.findall(r"M(\d+) (\d+)v-(\d+)", chart.get(state, "")):
            assert 0 <= int(foot) - int(tall) < int(foot) <= charts.BAR_HEIGHT
        troubled = sum(bool(each.get(state)) for each in seconds)
        assert chart.get(state, "").count("M") <= troubled


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=90))
def test_columns_start_at_the_baseline_and_grow_with_their_values(values: list[int]) -> None:
    chart = charts.columns(values)

    assert len(chart.columns) == len(values)
    assert all(column.y + column.height == charts.HEIGHT and column.y >= 0 for column in chart.columns)
    assert all(bool(column.height) == bool(value) for column, value in zip(chart.columns, values, strict=True))
    assert chart.columns[-1].x + chart.columns[-1].width <= charts.WIDTH
    assert chart.ticks[0].value == 0 and chart.ticks[-1].value >= max(values)
    assert len(chart.ticks) <= charts.MAX_TICKS + 1


def test_columns_of_nothing_have_a_base_line_alone() -> None:
    ticks = charts.columns([0, 0, 0]).ticks

    assert [tick.value for tick in ticks] == [0]


def test_scale_has_round_steps() -> None:
    assert [tick.value for tick in charts.scale(23)[1]] == [0, 5, 10, 15, 20, 25]
    assert [tick.value for tick in charts.scale(0)[1]] == [0, 1]
    assert [tick.value for tick in charts.scale(90)[1]] == [0, 20, 40, 60, 80, 100]


def test_durations_have_steps_of_a_clock() -> None:
    by_clock = charts.scale(469, steps=charts.DURATION_STEPS)[1]

    assert [tick.value for tick in by_clock] == [0, 120, 240, 360, 480]
    weeks = [tick.value for tick in charts.scale(10**6, steps=charts.DURATION_STEPS)[1]]
    assert weeks[-1] >= 10**6
    assert [value % 86_400 for value in weeks] == [0] * len(weeks)


def test_line_breaks_where_there_is_no_value() -> None:
    chart = charts.lines([10, None, 10, 5])

    assert chart.paths == ("M75 0h0M375 0h0L525 100h0",)
