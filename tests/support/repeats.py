"""Repetitions of soak tests: few in a normal run, many in `tests/run --long`, at least one."""

import os

IS_LONG = os.environ.get("PANEL_TEST_LONG") == "1"


def repetitions(ordinary: int, *, long: int) -> int:
    """Number of repetitions: the first in a normal run, the second in a long one."""
    return long if IS_LONG else ordinary
