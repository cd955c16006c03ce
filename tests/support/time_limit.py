"""Run code that may hang in a subprocess with a timeout."""

import subprocess
import sys
import textwrap

import pytest

_TIMED = """
import time
_began = time.perf_counter()
{code}
print(time.perf_counter() - _began)
"""


def run_in_subprocess(code: str, *, most_seconds: float = 10) -> float:
    """Seconds that the code took, imports included. Fails the test at the timeout."""
    command = [sys.executable, "-c", _TIMED.replace("{code}", textwrap.dedent(code))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=most_seconds)
    except subprocess.TimeoutExpired:
        pytest.fail(f"not done after {most_seconds:g} seconds")
    assert done.returncode == 0, done.stderr
    return float(done.stdout.splitlines()[-1])
