"""Clock: the only module that reads the time. Entry points call it and pass the time down."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    return datetime.now(UTC)


def elapsed() -> timedelta:
    """Boot time clock: can't be set, and counts suspended time where the system supports it."""
    source = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return timedelta(seconds=time.clock_gettime(source))


class ClockSteps:
    """Detects wall clock steps by comparing it with the monotonic clock."""

    def __init__(self, *, least: timedelta) -> None:
        self._least = least
        self._lock = threading.Lock()
        self._wall, self._elapsed = utc_now(), elapsed()

    @contextmanager
    def handling(self) -> Iterator[timedelta | None]:
        """The clock step since the last one that was handled (negative: backwards), or None; one thread at a time.

        If the block raises, the step counts as not handled: the next call has it again.
        """
        with self._lock:
            step = (utc_now() - self._wall) - (elapsed() - self._elapsed)
            if abs(step) < self._least:
                yield None
                return
            yield step
            self._wall += step
