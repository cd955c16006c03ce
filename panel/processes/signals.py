"""Signals of the supervisor: a wait that ends when one arrives, and whether one was a stop signal."""

import os
import select
import signal
from contextlib import suppress
from types import FrameType

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
MANY_BYTES = 4096


class Signals:
    """Handles stop signals, and those of children that end."""

    def __init__(self) -> None:
        self.is_stopping = False
        # Python's handlers run between two instructions of ours, the wait is one: the pipe ends it (self-pipe trick).
        self._readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for sign in STOPS:
            signal.signal(sign, self._stop)
        signal.signal(signal.SIGCHLD, lambda _sign, _frame: None)
        signal.set_wakeup_fd(writable, warn_on_full_buffer=False)

    def wait(self, seconds: float | None) -> None:
        """Return when a signal arrives, or after this time."""
        select.select([self._readable], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._readable, MANY_BYTES)

    def _stop(self, _sign: int, _frame: FrameType | None) -> None:
        self.is_stopping = True
