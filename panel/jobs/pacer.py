"""Pacer of a worker: starts its sweeps when something was committed or falls due, and every half minute anyway.

An idle panel is quiet: while nothing happens, a look at the database's version is all that is done. It measures with
the monotonic clock, so a wall clock that is set stops nothing.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime

import structlog

from panel.clock import utc_now
from panel.db.commit_watch import CommitWatch
from panel.db.errors import is_unavailable

LOOK_SECONDS = 0.25
# How soon a sweep runs again though nothing was seen that it could wait for.
QUIET_SECONDS = 30.0
# While commits follow each other they start the sweeps, and nobody asks what will be due.
ASK_AFTER_SECONDS = 1.0
# How long the answer to "is this worker the first one" is believed.
FIRST_SECONDS = 5.0
MAX_THREADS = 16

log = structlog.get_logger("panel.worker")


@dataclass(frozen=True)
class Sweep:
    """A scheduled job: its function, which runs inside an app context, and how soon it may run again."""

    name: str
    run: Callable[..., int]
    seconds: float
    # Whether the sweep starts background lanes and can be asked to wait for them.
    has_lanes: bool = False
    # Whether the sweep monitors a running panel and is left out of single runs.
    is_for_living: bool = False
    # Whether every worker runs it, not only the first one: its rows are leased.
    is_shared: bool = False
    # Whether it runs at its interval whatever happens.
    is_timed: bool = False


class Pacer:
    """Starts each sweep at most once per its interval, and never beside itself in this process.

    `run` returns whether the sweep did something, so that it is run again at its interval. `next_due` says when the
    next row falls due after a time. `is_first`: whether this worker runs what one worker is enough for.
    """

    def __init__(
        self,
        sweeps: Sequence[Sweep],
        *,
        run: Callable[[Sweep], bool],
        commits: CommitWatch,
        next_due: Callable[[datetime], datetime | None],
        is_first: Callable[[], bool],
    ) -> None:
        self._sweeps, self._run, self._commits = tuple(sweeps), run, commits
        self._next_due, self._is_first = next_due, is_first
        self._began: dict[str, float] = {}
        self._running: dict[str, Future[None]] = {}
        # Sweeps that did something, so that more may follow without a commit.
        self._again: set[str] = set()
        self._happened_at, self._happened_wall = time.monotonic(), utc_now()
        self._due_at: datetime | None = None
        self._is_due_known = False
        self._first, self._first_until = False, 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="pacer", daemon=True)
        self._pool = ThreadPoolExecutor(max_workers=MAX_THREADS, thread_name_prefix="sweep")

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, within_seconds: float) -> None:
        """Start nothing more, and wait a moment for what runs. What is interrupted runs again later."""
        self._stopped.set()
        self._thread.join(within_seconds)
        wait(list(self._running.values()), timeout=within_seconds)

    def _watch(self) -> None:
        is_failing = False
        while not self._stopped.wait(LOOK_SECONDS):
            try:
                self.look()
                is_failing = False
            except Exception:
                if not is_failing:
                    log.exception("pacer_failed")
                is_failing = True

    def look(self) -> None:
        """Start the sweeps that have something to look for."""
        now, wall = time.monotonic(), utc_now()
        if self._commits.has_changed() or _asked(lambda: self._is_any_due(now, wall)):
            self._happened_at, self._happened_wall, self._is_due_known = now, wall, False
        for sweep in self._sweeps:
            if self._wants_to_run(sweep, now) and (sweep.is_shared or self._may_run_alone(now)):
                self._start(sweep, now)

    def _is_any_due(self, now: float, wall: datetime) -> bool:
        """Whether a row has fallen due since something last happened. Asks again only after that."""
        if not self._is_due_known:
            if now - self._happened_at < ASK_AFTER_SECONDS:
                return False
            self._due_at, self._is_due_known = self._next_due(self._happened_wall), True
        return self._due_at is not None and self._due_at <= wall

    def _wants_to_run(self, sweep: Sweep, now: float) -> bool:
        if sweep.name in self._running:
            return False
        began = self._began.get(sweep.name)
        if began is None:
            return True
        if now - began < sweep.seconds:
            return False
        has_work = sweep.is_timed or self._happened_at > began or sweep.name in self._again
        return has_work or now - began >= QUIET_SECONDS

    def _may_run_alone(self, now: float) -> bool:
        if now >= self._first_until:
            self._first, self._first_until = _asked(self._is_first), now + FIRST_SECONDS
        return self._first

    def _start(self, sweep: Sweep, now: float) -> None:
        self._began[sweep.name] = now
        self._again.discard(sweep.name)
        future = self._pool.submit(self._run_one, sweep)
        self._running[sweep.name] = future
        future.add_done_callback(lambda _done: self._running.pop(sweep.name, None))

    def _run_one(self, sweep: Sweep) -> None:
        if self._run(sweep):
            self._again.add(sweep.name)


def _asked(question: Callable[[], bool]) -> bool:
    """The question's result; False while the database is unavailable, which the sweeps log."""
    try:
        return question()
    except Exception as error:
        if is_unavailable(error):
            return False
        raise
