"""Chart geometry in whole numbers: day bars, columns of counts, lines of durations.

A template turns it into SVG. Nothing here knows of HTML, and every drawing stands beside a table of its figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from panel.domain.component_states import State
from panel.domain.uptime_days import DayTimes

DAY_WIDTH = 4
BAR_HEIGHT = 28
# A day of which nothing is known is a low stub, so that its colour is not the only sign.
STUB_HEIGHT = 6
# However short a trouble was, it can be seen.
LEAST_HEIGHT = 4

WIDTH = 600
HEIGHT = 200
MOST_TICKS = 5
# Seconds that read well beside a scale of durations.
DURATION_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)


@dataclass(frozen=True)
class Path:
    """One path of a drawing: what it shows, and its `d`."""

    state: State
    d: str


@dataclass(frozen=True)
class DayBars:
    """A bar for each day, all in a few paths."""

    width: int
    height: int
    paths: tuple[Path, ...]


def day_bars(days: Sequence[DayTimes]) -> DayBars:
    """A full bar for a day with measurements, a stub for one without; trouble fills it from below by its share."""
    base: dict[State, list[str]] = {State.OPERATIONAL: [], State.UNKNOWN: []}
    trouble: dict[State, list[str]] = {State.DEGRADED: [], State.PARTIAL: [], State.MAJOR: []}
    start = 0
    for place in range(1, len(days) + 1):
        is_known = days[start].known_seconds > 0
        if place < len(days) and (days[place].known_seconds > 0) is is_known:
            continue
        # A dashed line draws all the bars of a run at once: three wide, one apart.
        middle = BAR_HEIGHT // 2 if is_known else BAR_HEIGHT - STUB_HEIGHT // 2
        run = f"M{start * DAY_WIDTH}.5 {middle}h{(place - start) * DAY_WIDTH}"
        base[State.OPERATIONAL if is_known else State.UNKNOWN].append(run)
        start = place
    for place, day in enumerate(days):
        foot = BAR_HEIGHT
        for state in (State.MAJOR, State.PARTIAL, State.DEGRADED):
            seconds = day.seconds.get(state, 0)
            if seconds and foot > 0:
                tall = min(foot, max(LEAST_HEIGHT, BAR_HEIGHT * seconds // day.known_seconds))
                trouble[state].append(f"M{place * DAY_WIDTH + DAY_WIDTH // 2} {foot}v-{tall}")
                foot -= tall
    paths = [Path(state, "".join(parts)) for state, parts in (*base.items(), *trouble.items()) if parts]
    return DayBars(len(days) * DAY_WIDTH, BAR_HEIGHT, tuple(paths))


@dataclass(frozen=True)
class Tick:
    """A line across the drawing, and the value that it stands for."""

    y: int
    value: int


@dataclass(frozen=True)
class Column:
    """One value of a chart: where its column stands, and how tall it is."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Columns:
    """Columns above one line, with a scale that starts at 0."""

    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Lines:
    """Lines over the same days, each as the `d` of a path; a day without a value breaks its line."""

    ticks: tuple[Tick, ...]
    paths: tuple[str, ...]


def columns(values: Sequence[int]) -> Columns:
    """A column for each value, in the order given."""
    top, ticks = scale(max(values, default=0))
    step = WIDTH // len(values) if values else WIDTH
    width = max(1, step - max(1, step // 5))
    return Columns(
        ticks,
        tuple(
            Column(place * step, HEIGHT - _tall(value, top=top), width, _tall(value, top=top))
            for place, value in enumerate(values)
        ),
    )


def lines(*series: Sequence[int | None], steps: Sequence[int] = ()) -> Lines:
    """One line for each series, all of the same length and on the same scale."""
    known = [value for values in series for value in values if value is not None]
    top, ticks = scale(max(known, default=0), steps=steps)
    return Lines(ticks, tuple(_line(values, top=top) for values in series))


def scale(most: int, *, steps: Sequence[int] = ()) -> tuple[int, tuple[Tick, ...]]:
    """The top of a scale that holds the value, and round values up to it: by the first of `steps` that is enough."""
    step = next((each for each in steps if each * MOST_TICKS >= most), 1)
    while step * MOST_TICKS < most:
        # 1, 2, 5, 10, 20, 50 …
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    top = max(step * -(-most // step), step)
    return top, tuple(Tick(HEIGHT - _tall(value, top=top), value) for value in range(0, top + 1, step))


def _tall(value: int, *, top: int) -> int:
    """The height of a value; a little more than nothing for whatever is not 0."""
    return max(1, HEIGHT * value // top) if value else 0


def _line(values: Sequence[int | None], *, top: int) -> str:
    step = WIDTH // len(values) if values else WIDTH
    parts, is_drawing = [], False
    for place, value in enumerate(values):
        if value is not None:
            # A dot of no length has a round cap: a lone value is seen too.
            parts.append(f"{'L' if is_drawing else 'M'}{place * step + step // 2} {HEIGHT - _tall(value, top=top)}h0")
        is_drawing = value is not None
    return "".join(parts)
