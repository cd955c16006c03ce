"""Clock: the only module that reads the time. Entry points call it and pass the time down."""

import threading
import time
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

    def last(self) -> timedelta | None:
        """Clock step since the last call (negative: backwards); None while the clock runs normally."""
        with self._lock:
            wall, counted = utc_now(), elapsed()
            step = (wall - self._wall) - (counted - self._elapsed)
            if abs(step) < self._least:
                return None
            self._wall, self._elapsed = wall, counted
            return step
