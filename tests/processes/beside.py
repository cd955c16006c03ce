"""Extra workers beside a running panel."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from panel.settings import ROOT
from tests.support.servers import Panel


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
