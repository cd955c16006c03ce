"""Schedule watchdog: runs sweeps by the monotonic clock when the engine's schedule is stuck.

The engine names runs by the second of the wall clock and skips names it already had: after the clock was set back it
runs nothing until the time has caught up, and after a step forward it makes up for every second in between.
"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog

from panel.clock import ClockSteps

LOOK_SECONDS = 1.0
# An engine run that is this late won't happen.
LATE_SECONDS = 20.0
MIN_STEP = timedelta(seconds=5)

log = structlog.get_logger("panel.worker")


class Watchdog:
    """Tracks when the engine last ran each sweep, and runs overdue ones itself at their usual interval."""

    def __init__(self, paces: Mapping[str, int], *, run: Callable[[str], object], restart: Callable[[], None]) -> None:
        now = time.monotonic()
        self._paces = dict(paces)
        self._run, self._restart = run, restart
        self._fired = dict.fromkeys(paces, now)
        self._ran = dict.fromkeys(paces, now)
        self._steps = ClockSteps(least=MIN_STEP)
        self._is_standing_in = False

    def fired(self, name: str) -> None:
        """Record that the engine is running this sweep now."""
        self._fired[name] = self._ran[name] = time.monotonic()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            # Measured with the monotonic clock, whatever the wall clock says.
            pause.wait(LOOK_SECONDS)
            try:
                self.look()
            except Exception:
                log.exception("watchdog_failed")

    def look(self) -> None:
        """Reset the schedules if the clock was set, and run overdue sweeps."""
        if self._steps.last() is not None:
            self._restart()
        late = self._late()
        if bool(late) != self._is_standing_in:
            self._is_standing_in = bool(late)
            log.info("watchdog_runs_sweeps" if late else "engine_runs_sweeps_again", sweeps=late)
        now = time.monotonic()
        for name in late:
            if now - self._ran[name] >= self._paces[name]:
                self._ran[name] = now
                threading.Thread(target=self._run, args=(name,), name=f"sweep-{name}", daemon=True).start()

    def _late(self) -> list[str]:
        now = time.monotonic()
        return [name for name, pace in self._paces.items() if now - self._fired[name] > pace + LATE_SECONDS]
