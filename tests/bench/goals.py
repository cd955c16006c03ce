"""Figures of the benches with their goals, and short rounds for `python -m tests.bench all`."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

# Where a bench that `all` started writes its figures, one JSON object a line.
FILE = "BENCH_FIGURES"
IS_SHORT = os.environ.get("BENCH_SHORT") == "1"


@dataclass(frozen=True, slots=True)
class BenchFigure:
    """A measured figure and its goal. One without a goal is only shown."""

    label: str
    value: float
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    @property
    def goal(self) -> str:
        if self.at_least is not None:
            return f"at least {self.at_least:g}{self.unit}"
        return "" if self.at_most is None else f"at most {self.at_most:g}{self.unit}"

    @property
    def verdict(self) -> str:
        """`met` or `missed`; empty without a goal."""
        if not self.goal:
            return ""
        is_below = self.at_least is not None and self.value < self.at_least
        is_above = self.at_most is not None and self.value > self.at_most
        return "missed" if is_below or is_above else "met"

    @property
    def line(self) -> str:
        return f"{self.label:<66} {self.value:>9.2f}{self.unit:<4} {self.goal:<18} {self.verdict}".rstrip()


def short(whole: int, in_short: int) -> int:
    """A number of rows or rounds: the second one in short rounds."""
    return in_short if IS_SHORT else whole


def report(
    label: str, value: float, *, at_least: float | None = None, at_most: float | None = None, unit: str = ""
) -> None:
    """Print a figure with its goal, and keep it for `all`."""
    figure = BenchFigure(label, value, at_least, at_most, unit)
    print(figure.line, flush=True)
    if path := os.environ.get(FILE):
        with Path(path).open("a") as kept:
            kept.write(json.dumps(asdict(figure)) + "\n")


def reported(path: Path) -> list[BenchFigure]:
    """The figures that a bench kept there."""
    return [BenchFigure(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
