"""Test order: which files run in parallel, in which order, and which alone."""

from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
# Tests that allow the product a few seconds only, or force races, run alone.
ALONE = (
    "browser/test_push.py",
    "flows/test_placing_races.py",
    "flows/test_races.py",
    "processes/test_database_restart.py",
    "processes/test_platform_status.py",
    "processes/test_slow_clients.py",
    "processes/test_supervisor.py",
    "processes/test_worker.py",
)
# These wait more than they compute, so that each comes while another process still has something to compute.
WAITING = ("processes", "jobs/test_kills.py")
# Browser tests run last, since their event loop disturbs other tests of its process once it runs.
BROWSER = "browser"


def sort_and_mark(items: list[pytest.Item]) -> None:
    """Sort long files first within their group, so that no process ends long before the others."""
    sizes = Counter(_path(item) for item in items)
    items.sort(key=lambda item: (_turn(_path(item)), -sizes[_path(item)], _path(item)))
    for item in items:
        if _path(item).startswith(ALONE):
            item.add_marker("alone")


def _turn(path: str) -> int:
    if path.startswith(BROWSER):
        return 2
    return 0 if path.startswith(WAITING) else 1


def _path(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).as_posix()
