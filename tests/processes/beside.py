"""Helpers for process tests: extra workers beside a running panel, and waiting for a condition."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from panel.settings import ROOT
from tests.support.servers import Panel

LOOK_AGAIN_SECONDS = 0.1


@contextmanager
def another_worker(panel: Panel) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "flask", "--app", "app", "worker"]
    with (panel.instance / "output.log").open("a") as log:
        worker = subprocess.Popen(command, cwd=ROOT, env=panel.environment, stdout=log, stderr=log)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def until(holds: Callable[[], bool], *, seconds: float = 60.0) -> bool:
    """Poll until the condition holds; False at the timeout."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        if holds():
            return True
        time.sleep(LOOK_AGAIN_SECONDS)
    return False
