"""`python app.py` in a process of `warm_python`, with children that are forks of it instead of new interpreters.

The supervisor, its commands and signals are the product's; a start takes a third of the CPU.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence

from panel.processes import child, supervisor
from panel.processes.parent_death import SUPERVISED, die_with_parent
from tests.support import warm_python
from tests.support.warm_python import Command


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


if __name__ == "__main__":
    os.setsid()
    setattr(child, "spawn", spawn)  # noqa: B010
    sys.exit(supervisor.main(sys.argv[1:]))
