"""Goals of the benches: what counts as met, and that each bench is one that `all` runs."""

from pathlib import Path

import pytest

from tests.bench import __main__ as benches
from tests.bench import goals
from tests.bench.goals import BenchFigure


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (BenchFigure("x", 0.8, at_least=0.8), "met"),
        (BenchFigure("x", 0.79, at_least=0.8), "missed"),
        (BenchFigure("x", 1.2, at_most=1.2), "met"),
        (BenchFigure("x", 1.21, at_most=1.2), "missed"),
        (BenchFigure("x", -1.3, at_most=10), "met"),
        (BenchFigure("x", 0), ""),
    ],
)
def test_verdict_follows_from_the_goal(figure: BenchFigure, verdict: str) -> None:
    assert figure.verdict == verdict
    assert figure.line.endswith(verdict)


def test_figures_are_kept_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(goals.FILE, str(tmp_path / "figures"))

    goals.report("pages / hello world", 0.91, at_least=0.8)
    goals.report("time", 3, unit=" s")

    assert goals.reported(tmp_path / "figures") == [
        BenchFigure("pages / hello world", 0.91, at_least=0.8),
        BenchFigure("time", 3, unit=" s"),
    ]
    assert goals.reported(tmp_path / "none") == []


def test_all_runs_every_bench() -> None:
    folder = Path(benches.__file__).parent
    runnable = {path.stem for path in folder.glob("*.py") if "def main() -> None:" in path.read_text()}

    assert {name.replace("-", "_") for name in benches.BENCHES} == runnable
