"""Which test files run beside others, and which alone."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
# What starts processes, kills them, or watches a clock in a browser: run with nothing else beside it.
ALONE = ("browser", "processes", "jobs/test_kills.py", "flows/test_races.py", "flows/test_placing_races.py")


def sort_and_mark(items: list[pytest.Item]) -> None:
    """Browser tests come last: their event loop, once started, is in the way of others."""
    items.sort(key=lambda item: _path(item).startswith("browser"))
    for item in items:
        if _path(item).startswith(ALONE):
            item.add_marker("alone")


def _path(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).as_posix()
