"""Test order: which files run in parallel, and which alone."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
# Tests that start or kill processes, or measure time in a browser, run alone.
ALONE = ("browser", "processes", "jobs/test_kills.py", "flows/test_races.py", "flows/test_placing_races.py")


def sort_and_mark(items: list[pytest.Item]) -> None:
    """Sort browser tests last, since their event loop disturbs other tests once it runs."""
    items.sort(key=lambda item: _path(item).startswith("browser"))
    for item in items:
        if _path(item).startswith(ALONE):
            item.add_marker("alone")


def _path(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).as_posix()
