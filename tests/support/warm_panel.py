"""`python app.py` in a process of `warm_python`, with children that are forks of it instead of new interpreters.

The supervisor, its commands and signals are the product's. An instance without a database gets a migrated one, so
`flask init` finds nothing to migrate.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from panel.processes import child, supervisor
from panel.processes.parent_death import SUPERVISED, die_with_parent
from tests.support import warm_python
from tests.support.warm_python import Command
from tests.support.warm_start import MIGRATED


def spawn(command: Sequence[str]) -> Command:
    """Fork a child that does what this command line of `python` does."""
    _python, *words = command
    return Command(multiprocessing.get_context("fork").Process(target=_begin, args=(os.getpid(), words)))


def _begin(parent: int, words: Sequence[str]) -> None:
    os.setsid()
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, signal.SIG_DFL)
    die_with_parent(expected_parent=parent)
    os.environ[SUPERVISED] = "1"
    warm_python.be(*words)


def give_database(instance: Path) -> None:
    """Put a migrated database where there is none."""
    path = instance / "panel.db"
    if not os.environ.get("DATABASE_URL") and not path.exists():
        path.write_bytes(MIGRATED)


if __name__ == "__main__":
    os.setsid()
    give_database(Path(os.environ["PANEL_INSTANCE"]))
    setattr(child, "spawn", spawn)  # noqa: B010
    sys.exit(supervisor.main(sys.argv[1:]))
