"""Worker process: DBOS schedules each sweep once, however many workers there are, and any worker runs it.

The database rows are the source of truth. Sweeps are idempotent and process whatever is due, so a lost or repeated
run is harmless. Web processes never load the engine.
"""

import fcntl
import hashlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from panel.clock import utc_now
from panel.db import db, transaction, write_if_unlocked
from panel.db.errors import driver_message, is_unavailable
from panel.jobs import (
    alerts,
    announcements,
    cancellations,
    clocks,
    daily_sums,
    dispatch,
    engine,
    link_rules,
    mails,
    maintenance,
    payments,
    probes,
    provider_balances,
    rechecks,
    refills,
    sync,
    telegram,
    timeouts,
    webhooks,
)
from panel.jobs import engine_log as engine_log_module
from panel.jobs.catalogue import events, imports, terms
from panel.jobs.watchdog import Watchdog
from panel.models import ThrottleHit
from panel.services import health
from panel.services.providers import call_slots
from panel.settings import Settings

MAX_SLOTS = 256
SECONDS_A_MINUTE = 60
START_AGAIN_SECONDS = 2

KEEP_RUNS = timedelta(hours=1)
KEEP_FAILED_TRIES = timedelta(days=2)

log = structlog.get_logger("panel.worker")


@dataclass(frozen=True)
class Sweep:
    """A scheduled job: its function, which runs inside an app context, and its interval."""

    name: str
    run: Callable[..., int]
    seconds: int
    # Whether the sweep starts background lanes and can be asked to wait for them.
    has_lanes: bool = False
    # Whether the sweep monitors a running panel and is left out of single runs.
    is_for_living: bool = False


def sweeps(settings: Settings) -> tuple[Sweep, ...]:
    """All scheduled jobs. Rows have their own due times, so a sweep may run at any interval."""
    return (
        Sweep("dispatch", dispatch.sweep, settings.dispatch_seconds, has_lanes=True),
        Sweep("sync", sync.sweep, 1, has_lanes=True),
        Sweep("rechecks", rechecks.sweep, 10, has_lanes=True),
        Sweep("refills", refills.sweep, 2, has_lanes=True),
        Sweep("cancellations", cancellations.sweep, 2, has_lanes=True),
        Sweep("balances", provider_balances.sweep, 5, has_lanes=True),
        Sweep("webhooks", webhooks.sweep, 1, has_lanes=True),
        Sweep("payment_events", payments.work_on_events, 1),
        Sweep("payment_look_ups", payments.look_up, 30),
        Sweep("payment_reconciliation", payments.reconcile, 600, is_for_living=True),
        Sweep("mails", mails.sweep, 2),
        Sweep("alerts", alerts.sweep, 10, is_for_living=True),
        Sweep("telegram", telegram.sweep, 2),
        Sweep("announcements", announcements.sweep, 2),
        Sweep("terms", terms.sweep, 2),
        Sweep("catalogue_imports", imports.sweep, 2, has_lanes=True),
        Sweep("catalogue_events", events.sweep, 10),
        Sweep("maintenance", maintenance.sweep, 2),
        Sweep("deadlines", timeouts.sweep, 10),
        Sweep("heartbeat", beat, health.BEAT_SECONDS),
        Sweep("probes", probes.sweep, settings.probe_seconds, is_for_living=True),
        Sweep("audit", probes.audit, settings.probe_seconds, is_for_living=True),
        Sweep("link_rules", link_rules.sweep, 600),
        Sweep("daily_sums", daily_sums.sweep, 600),
        Sweep("purge", purge, 600),
    )


def beat(*, worker: str) -> int:
    """Record this worker's heartbeat."""
    # Before the last heartbeat is overwritten: its age shows whether the clock was set while no worker ran.
    clocks.check_clock()
    with transaction():
        health.beat(worker, now=utc_now())
    return 1


def purge(*, worker: str) -> int:
    """Delete expired data: finished runs, old failed log-ins, workers that no longer exist."""
    now = utc_now()
    with transaction():
        tries = db.session.execute(
            delete(ThrottleHit).where(ThrottleHit.at < now - KEEP_FAILED_TRIES).returning(ThrottleHit.id)
        ).all()
        workers = health.forget_workers(before=now - timedelta(seconds=health.FORGOTTEN_SECONDS))
        calls = call_slots.purge(now=now)
    ours = len(tries) + workers + calls
    return ours + mails.purge() + telegram.purge() + payments.purge() + engine.purge_runs(before=now - KEEP_RUNS)


def run_once(app: Flask) -> bool:
    """Run every working sweep once to completion in this process, without the engine. False when one failed."""
    due = [sweep for sweep in sweeps(app.config["PANEL"]) if not sweep.is_for_living]
    done = [_run(app, sweep, worker=f"{socket.gethostname()}-once", wait=True) for sweep in due]
    return all(done)


def work(app: Flask) -> None:
    """Run until SIGTERM or SIGINT, then stop within five seconds."""
    stopping = _StopSignal()
    settings: Settings = app.config["PANEL"]
    slot, _held = take_slot(settings)
    executor = f"{socket.gethostname()}-{_folder_mark(settings)}-{slot}"
    engine_log = engine_log_module.listen()
    while (why := _why_not_startable(app)) is not None:
        log.warning("worker cannot start yet", why=why, again_in_seconds=START_AGAIN_SECONDS)
        if stopping.is_asked(within_seconds=START_AGAIN_SECONDS):
            return
    _free_call_slots(app, executor=executor)
    _launch(app, executor=executor)
    log.info("worker started", worker=executor)
    with app.app_context():
        write_if_unlocked(lambda: health.beat(executor, now=utc_now()))
    stopping.wait()
    log.info("worker stops", worker=executor)
    _is_stopping.set()
    engine_log.stop()
    engine.end()


def _why_not_startable(app: Flask) -> str | None:
    """Why the worker can't start yet (its database is unavailable or locked); None when it can."""
    try:
        with app.app_context():
            clocks.check_clock()
    except SQLAlchemyError as error:
        if not is_unavailable(error):
            raise
        return driver_message(error)
    return engine.why_not_free(app.config["PANEL"])


def _free_call_slots(app: Flask, *, executor: str) -> None:
    """Free the slots of calls that the last worker in our place was making when it died."""
    with app.app_context():
        try:
            with transaction():
                call_slots.release_all(executor)
        except SQLAlchemyError as error:
            if not is_unavailable(error):
                raise
            log.warning("database unavailable", why=driver_message(error))


def _folder_mark(settings: Settings) -> str:
    """Distinguishes workers of two instance folders on one database: slots are numbered per folder."""
    return hashlib.blake2b(bytes(settings.instance), digest_size=3).hexdigest()


def take_slot(settings: Settings) -> tuple[int, int]:
    """Take the lowest slot number that is free in this folder, with the locked file that reserves it."""
    settings.instance.mkdir(parents=True, exist_ok=True)
    for slot in range(1, MAX_SLOTS + 1):
        file = os.open(settings.instance / f"worker-{slot}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        return slot, file
    raise SystemExit(f"There are {MAX_SLOTS} workers in this folder already.")


class _StopSignal:
    """Waits for a stop signal. Created before the engine's threads start, so that no signal is missed."""

    def __init__(self) -> None:
        self._signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)

    def wait(self) -> None:
        signal.sigwait(self._signals)

    def is_asked(self, *, within_seconds: float) -> bool:
        return signal.sigtimedwait(self._signals, within_seconds) is not None


def _launch(app: Flask, *, executor: str) -> None:
    """Start the engine, register the schedules, and start the watchdog."""
    from dbos import DBOS

    settings: Settings = app.config["PANEL"]
    DBOS(config=engine.config(settings, executor=executor))
    by_name = {sweep.name: sweep for sweep in sweeps(settings)}
    watchdog = Watchdog(
        {sweep.name: sweep.seconds for sweep in by_name.values()},
        run=lambda name: _run(app, by_name[name], worker=executor),
        restart=lambda: _schedule(schedules, is_restart=True),
    )
    schedules = [
        {
            "schedule_name": sweep.name,
            "workflow_fn": _as_workflow(app, sweep, worker=executor, watchdog=watchdog),
            "schedule": cron(sweep.seconds),
            "context": None,
        }
        for sweep in by_name.values()
    ]
    DBOS.launch()
    _schedule(schedules)
    watchdog.start()


def _schedule(schedules: list[dict[str, Any]], *, is_restart: bool = False) -> None:
    """Register the sweep schedules. `is_restart`: start from the current time and drop pending runs."""
    from dbos import DBOS

    wanted = set() if is_restart else {schedule["schedule_name"] for schedule in schedules}
    for known in DBOS.list_schedules():
        if known["schedule_name"] not in wanted:
            DBOS.delete_schedule(known["schedule_name"])
    DBOS.apply_schedules(schedules)  # type: ignore[arg-type]


def cron(seconds: int) -> str:
    """Cron expression, with a seconds field, for an interval in seconds or whole minutes."""
    if seconds < SECONDS_A_MINUTE:
        return f"*/{seconds} * * * * *"
    return f"0 */{seconds // SECONDS_A_MINUTE} * * * *"


def _as_workflow(app: Flask, sweep: Sweep, *, worker: str, watchdog: Watchdog) -> Any:
    from dbos import DBOS

    def workflow(_due_at: datetime, _context: object) -> None:
        watchdog.fired(sweep.name)
        _run(app, sweep, worker=worker)

    workflow.__name__ = workflow.__qualname__ = sweep.name
    return DBOS.workflow(name=sweep.name)(workflow)


_running: dict[str, threading.Lock] = {}
_is_stopping = threading.Event()


def _run(app: Flask, sweep: Sweep, *, worker: str, wait: bool = False) -> bool:
    """Run a sweep unless it is already running in this process. A failure is logged, and the next run tries again."""
    lock = _running.setdefault(sweep.name, threading.Lock())
    if not lock.acquire(blocking=False):
        return True
    try:
        with app.app_context():
            options = {"wait": True} if wait and sweep.has_lanes else {}
            sweep.run(worker=worker, **options)
    except Exception as error:
        if _is_stopping.is_set():
            return False  # Interrupted by shutdown: the next worker runs it again.
        if is_unavailable(error):
            log.warning("database unavailable", sweep=sweep.name, why=driver_message(error))
        else:
            log.exception("sweep failed", sweep=sweep.name)
        return False
    finally:
        lock.release()
    return True
