"""Watchdog of the schedules: runs the sweeps by the monotonic clock while the engine's own schedule does not.

The engine names its runs by the second of the wall clock and skips a name that it has had: after the clock was set
back it runs nothing until the time has caught up, and after one forward it makes up for every second in between.
"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog

from panel.clock import ClockSteps

LOOK_SECONDS = 1.0
# A run of the engine that is this late will not come.
LATE_SECONDS = 20.0
LEAST_STEP = timedelta(seconds=5)

log = structlog.get_logger("panel.worker")


class Watchdog:
    """Knows when the engine last ran each sweep, and runs those that are late itself, at their usual pace."""

    def __init__(self, paces: Mapping[str, int], *, run: Callable[[str], object], restart: Callable[[], None]) -> None:
        now = time.monotonic()
        self._paces = dict(paces)
        self._run, self._restart = run, restart
        self._fired = dict.fromkeys(paces, now)
        self._ran = dict.fromkeys(paces, now)
        self._steps = ClockSteps(least=LEAST_STEP)
        self._is_standing_in = False

    def fired(self, name: str) -> None:
        """The engine runs this sweep now."""
        self._fired[name] = self._ran[name] = time.monotonic()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            # Counted by the monotonic clock, however the wall clock is set.
            pause.wait(LOOK_SECONDS)
            try:
                self.look()
            except Exception:
                log.exception("watchdog_failed")

    def look(self) -> None:
        """Begin the schedules again where the clock was set, and run what is late."""
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
