"""SVG chart geometry in integers: day bars, columns of counts, lines of durations.

Templates turn it into SVG. There is no HTML here, and every chart has a table of its values beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from panel.domain.platform.component_states import State
from panel.domain.platform.uptime_days import DayTimes

DAY_WIDTH = 4
BAR_HEIGHT = 28
# Days without data get a short stub, so that color is not the only sign.
STUB_HEIGHT = 6
# Trouble of a day takes a third of its bar at least: a minute of it should be noticed among ninety days.
MIN_TROUBLE_HEIGHT = 10
# Minimum height of a value above 0.
MIN_HEIGHT = 4

WIDTH = 600
HEIGHT = 200
MAX_TICKS = 5
# Round values for a scale of durations, in seconds.
DURATION_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)


@dataclass(frozen=True)
class Path:
    """An SVG path: its state and its `d`."""

    state: State
    d: str


@dataclass(frozen=True)
class DayBars:
    """A bar for each day, combined into a few paths."""

    width: int
    height: int
    paths: tuple[Path, ...]


def day_bars(days: Sequence[DayTimes]) -> DayBars:
    """A full bar for a day with measurements, a stub otherwise; outages fill it from below by their share."""
    base: dict[State, list[str]] = {State.OPERATIONAL: [], State.UNKNOWN: []}
    trouble: dict[State, list[str]] = {State.DEGRADED: [], State.PARTIAL: [], State.MAJOR: []}
    start = 0
    for place in range(1, len(days) + 1):
        is_known = days[start].known_seconds > 0
        if place < len(days) and (days[place].known_seconds > 0) is is_known:
            continue
        # A dashed line draws all the bars of a run in one path: three wide, one apart.
        middle = BAR_HEIGHT // 2 if is_known else BAR_HEIGHT - STUB_HEIGHT // 2
        run = f"M{start * DAY_WIDTH}.5 {middle}h{(place - start) * DAY_WIDTH}"
        base[State.OPERATIONAL if is_known else State.UNKNOWN].append(run)
        start = place
    for place, day in enumerate(days):
        foot = BAR_HEIGHT
        for state in (State.MAJOR, State.PARTIAL, State.DEGRADED):
            seconds = day.seconds.get(state, 0)
            if seconds and foot > 0:
                tall = min(foot, max(MIN_TROUBLE_HEIGHT, BAR_HEIGHT * seconds // day.known_seconds))
                trouble[state].append(f"M{place * DAY_WIDTH + DAY_WIDTH // 2} {foot}v-{tall}")
                foot -= tall
    paths = [Path(state, "".join(parts)) for state, parts in (*base.items(), *trouble.items()) if parts]
    return DayBars(len(days) * DAY_WIDTH, BAR_HEIGHT, tuple(paths))


@dataclass(frozen=True)
class Tick:
    """A grid line and its value."""

    y: int
    value: int


@dataclass(frozen=True)
class Column:
    """A column: its position, height and value."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Columns:
    """Columns on a common baseline, with a scale that starts at 0."""

    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Lines:
    """Lines over the same days, each as the `d` of a path; a day without a value interrupts its line."""

    ticks: tuple[Tick, ...]
    paths: tuple[str, ...]


def columns(values: Sequence[int]) -> Columns:
    """One column for each value, in the order given. Only the base line has a mark if all of them are 0."""
    top, ticks = scale(max(values, default=0))
    ticks = tuple(tick for tick in ticks if tick.value == 0 or any(values))
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
    """Top of the axis and round tick values up to it: the first of `steps` that needs no more than MAX_TICKS."""
    # Beyond the largest of `steps`: its multiples, such as whole days.
    step = next((each for each in steps if each * MAX_TICKS >= most), steps[-1] if steps else 1)
    while step * MAX_TICKS < most:
        # 1, 2, 5, 10, 20, 50 …
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    top = max(step * -(-most // step), step)
    return top, tuple(Tick(HEIGHT - _tall(value, top=top), value) for value in range(0, top + 1, step))


def _tall(value: int, *, top: int) -> int:
    """Height of a value, with a minimum for everything above 0."""
    return max(1, HEIGHT * value // top) if value else 0


def _line(values: Sequence[int | None], *, top: int) -> str:
    step = WIDTH // len(values) if values else WIDTH
    parts, is_drawing = [], False
    for place, value in enumerate(values):
        if value is not None:
            # A zero-length segment has a round cap, so that a single value is visible.
            parts.append(f"{'L' if is_drawing else 'M'}{place * step + step // 2} {HEIGHT - _tall(value, top=top)}h0")
        is_drawing = value is not None
    return "".join(parts)
