"""Parent death signal (PR_SET_PDEATHSIG): a process ends when its parent dies, even by `kill -9`."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time

# Set by the supervisor for everything it starts.
SUPERVISED = "PANEL_TETHERED"

PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 0.5


def die_with_supervisor() -> None:
    """Called first in every process; does nothing unless the supervisor is an ancestor."""
    if os.environ.get(SUPERVISED):
        started_by = multiprocessing.parent_process()
        die_with_parent(expected_parent=started_by.pid if started_by is not None else None)


def die_with_parent(*, expected_parent: int | None = None) -> None:
    """End this process when its parent ends, or now if the parent has already ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    if expected_parent is not None and os.getppid() != expected_parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)
