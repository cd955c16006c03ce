"""Tool list and tool picker with 5,000 tools, against the same pages with 20. Goal: at most twice the time.

`python -m tests.bench tools`. Both panels respond in turns in this process, so that other load affects them alike.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from panel.application import create_app
from tests.bench import goals
from tests.support import databases
from tests.support.factories import a_customer, logged_in
from tests.support.large_catalogue import fill_catalogue

PATHS = ("/tools", "/tools?q=00019", "/orders/new", "/orders/tools?q=tool", "/orders/mass")
FEW, MANY = 20, 5_000
ROUNDS, GOAL = goals.short(60, 20), 2.0


def main() -> None:
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        visits = [_visitor(Path(few), FEW), _visitor(Path(many), MANY)]
        for path in PATHS:
            rounds = [[visit(path) for visit in visits] for _ in range(ROUNDS)]
            medians = [statistics.median(each) for each in zip(*rounds, strict=True)]
            shown = ", ".join(f"{each * 1000:.1f} ms" for each in medians)
            goals.report(f"{path}, {MANY:,} tools / {FEW} tools ({shown})", medians[1] / medians[0], at_most=GOAL)


def _visitor(instance: Path, count: int) -> Callable[[str], float]:
    """A function that requests a page from a panel with this many tools, and returns the seconds it took."""
    databases.make_sqlite_template(instance)
    app = create_app(databases.settings_for(instance))
    client = app.test_client()
    with app.app_context():
        fill_catalogue(count)
        logged_in(client, a_customer())

    def visit(path: str) -> float:
        began = time.perf_counter()
        client.get(path)
        return time.perf_counter() - began

    return visit
