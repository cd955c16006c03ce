"""Repetitions of soak tests: few in a normal run, many in `tests/run --long`, at least one."""

import os

IS_LONG = os.environ.get("PANEL_TEST_LONG") == "1"


def repetitions(ordinary: int, *, long: int) -> int:
    """The first number in the ordinary run, the second in the long one."""
    return long if IS_LONG else ordinary
