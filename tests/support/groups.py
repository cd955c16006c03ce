"""Test order: which files run in parallel, in which order, and which alone."""

from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
# Tests that allow the product a second or two, or force races, run alone: files, or one test of a file.
ALONE = (
    "browser/test_push.py",
    "flows/test_database_away.py::test_some_threads_may_wait_for_the_database_and_the_rest_are_refused_soon",
    "flows/test_placing_races.py",
    "flows/test_races.py",
)
# These wait more than they compute, so that each comes while another process has something to compute.
WAITING = ("processes", "jobs/test_kills.py", "jobs/test_kills_of_runs.py")
# Browser tests run last, since their event loop disturbs other tests of its process once it runs.
BROWSER = "browser"
# Few tests, each of which takes long: it opens every page, or goes thousands of steps.
LONG = (
    "browser/test_every_page.py",
    "browser/test_every_form.py",
    "browser/test_every_office_page.py",
    "flows/test_walks.py",
    "flows/test_rows_read.py",
    "flows/test_flat.py",
)


def sort_and_mark(items: list[pytest.Item]) -> None:
    """Sort long files first, and files that wait between files that compute, so that no process ends long after all."""
    sizes = Counter(_path(item) for item in items)
    turns = _turns(sorted(sizes, key=lambda path: (path not in LONG, -sizes[path], path)))
    items.sort(key=lambda item: turns[_path(item)])
    for item in items:
        if item.nodeid.removeprefix("tests/").startswith(ALONE):
            item.add_marker("alone")


def ignore_all_but_alone(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m alone`, leave out the files that have no such test: reading all of them takes 6 s."""
    if config.option.markexpr != "alone" or not collection_path.name.startswith("test_"):
        return None
    path = collection_path.relative_to(TESTS).as_posix()
    return None if any(each.startswith(path) for each in ALONE) else True


def _turns(paths: list[str]) -> dict[str, float]:
    """The turn of each file: one that waits after each that computes, then the rest, then those with a browser."""
    waiting = [path for path in paths if path.startswith(WAITING)]
    browsing = [path for path in paths if path.startswith(BROWSER)]
    computing = [path for path in paths if path not in {*waiting, *browsing}]
    return (
        {path: float(turn) for turn, path in enumerate(waiting)}
        | {path: turn + 0.5 for turn, path in enumerate(computing)}
        | {path: 2.0 * len(paths) + turn for turn, path in enumerate(browsing)}
    )


def _path(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).as_posix()
