"""The only place that reads the clock. Edges call it and pass the moment down."""

import threading
import time
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    return datetime.now(UTC)


def elapsed() -> timedelta:
    """Time since the machine started: nobody can set it, and where the system offers that it counts sleep as well."""
    source = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return timedelta(seconds=time.clock_gettime(source))


class ClockSteps:
    """Detects that the wall clock was set: it compares the wall clock with the monotonic one."""

    def __init__(self, *, least: timedelta) -> None:
        self._least = least
        self._lock = threading.Lock()
        self._wall, self._elapsed = utc_now(), elapsed()

    def last(self) -> timedelta | None:
        """How far the clock was set forward (or back, below zero) since the last step; None while it keeps time."""
        with self._lock:
            wall, counted = utc_now(), elapsed()
            step = (wall - self._wall) - (counted - self._elapsed)
            if abs(step) < self._least:
                return None
            self._wall, self._elapsed = wall, counted
            return step
