"""Which test files run beside others, which two at a time, and which alone: each with its mark, in order."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
# What allows the product a few seconds only: run with nothing else beside it.
ALONE = (
    "flows/test_races.py",
    "flows/test_placing_races.py",
    "processes/test_platform_status.py",
    "processes/test_slow_clients.py",
    "processes/test_supervisor.py",
    "processes/test_worker.py",
)
# What starts the product or a browser: two files at a time. The first three wait much and compute little, so they
# come first, each beside one that computes.
PROCESSES = (
    "processes/test_scaled.py",
    "processes/test_bad_starts.py",
    "processes/test_two_panels.py",
    "processes",
    "jobs/test_kills.py",
    "browser",
)


def sort_and_mark(items: list[pytest.Item]) -> None:
    """Browser tests come last: their event loop, once started, is in the way of others."""
    items.sort(key=lambda item: _turn(_path(item)))
    for item in items:
        if _path(item).startswith(ALONE):
            item.add_marker("alone")
        elif _path(item).startswith(PROCESSES):
            item.add_marker("processes")


def _path(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).as_posix()


def _turn(path: str) -> int:
    return next((number for number, start in enumerate(PROCESSES) if path.startswith(start)), -1)
