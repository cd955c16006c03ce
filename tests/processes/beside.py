"""Extra workers beside a running panel."""

from collections.abc import Iterator
from contextlib import contextmanager

from panel.processes.forked import ForkedProcess
from tests.support import warm_python
from tests.support.servers import Panel


@contextmanager
def another_worker(panel: Panel) -> Iterator[ForkedProcess]:
    words = ("-m", "flask", "--app", "app", "worker")
    log = panel.instance / "output.log"
    worker = warm_python.start(*words, environment=panel.environment, output=log)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()
