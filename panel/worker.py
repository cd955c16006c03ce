"""Worker process: runs the sweeps when something happens or falls due.

The database rows are the source of truth. Sweeps are idempotent and process whatever is due, so a lost or repeated
run is harmless, also beside another worker. What one worker is enough for, the first one does.
"""

import fcntl
import hashlib
import os
import signal
import socket
import sys
import threading
from datetime import datetime, timedelta

import structlog
from flask import Flask
from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from panel.clock import utc_now
from panel.db import commit_watch, db, transaction, write_if_unlocked
from panel.db.errors import driver_message, is_unavailable
from panel.jobs import (
    alerts,
    announcements,
    cancellations,
    clocks,
    daily_sums,
    dispatch,
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
from panel.jobs.catalogue import events, imports, terms
from panel.jobs.pacer import Pacer, Sweep
from panel.models import ThrottleHit
from panel.services import due_times, health
from panel.services.providers import call_slots
from panel.settings import Settings

MAX_SLOTS = 256
START_AGAIN_SECONDS = 2
STOP_SECONDS = 3.0

KEEP_FAILED_TRIES = timedelta(days=2)

log = structlog.get_logger("panel.worker")


def sweeps(settings: Settings) -> tuple[Sweep, ...]:
    """All scheduled jobs. Rows have their own due times, so a sweep may run at any interval."""
    return (
        Sweep("dispatch", dispatch.sweep, settings.dispatch_seconds, has_lanes=True, is_shared=True),
        Sweep("sync", sync.sweep, 1, has_lanes=True, is_shared=True),
        Sweep("rechecks", rechecks.sweep, 10, has_lanes=True, is_shared=True),
        Sweep("refills", refills.sweep, 2, has_lanes=True, is_shared=True),
        Sweep("cancellations", cancellations.sweep, 2, has_lanes=True, is_shared=True),
        Sweep("balances", provider_balances.sweep, 5, has_lanes=True, is_shared=True),
        Sweep("webhooks", webhooks.sweep, 1, has_lanes=True, is_shared=True),
        Sweep("payment_events", payments.work_on_events, 1, is_shared=True),
        Sweep("payment_look_ups", payments.look_up, 30),
        Sweep("payment_reconciliation", payments.reconcile, 600, is_for_living=True),
        Sweep("mails", mails.sweep, 2, is_shared=True),
        Sweep("alerts", alerts.sweep, 10, is_for_living=True),
        Sweep("telegram", telegram.sweep, 2),
        Sweep("announcements", announcements.sweep, 2),
        Sweep("terms", terms.sweep, 2),
        Sweep("catalogue_imports", imports.sweep, 2, has_lanes=True, is_shared=True),
        Sweep("catalogue_events", events.sweep, 10),
        Sweep("maintenance", maintenance.sweep, 2),
        Sweep("deadlines", timeouts.sweep, 10),
        Sweep("heartbeat", beat, health.BEAT_SECONDS, is_shared=True, is_timed=True),
        Sweep("probes", probes.sweep, settings.probe_seconds, is_for_living=True, is_timed=True),
        Sweep("audit", probes.audit, settings.probe_seconds, is_for_living=True, is_timed=True),
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
    """Delete expired data: old failed log-ins, workers that no longer exist, and old rows of outboxes."""
    now = utc_now()
    with transaction():
        tries = db.session.execute(
            delete(ThrottleHit).where(ThrottleHit.at < now - KEEP_FAILED_TRIES).returning(ThrottleHit.id)
        ).all()
        workers = health.forget_workers(before=now - timedelta(seconds=health.FORGOTTEN_SECONDS))
        calls = call_slots.purge(now=now)
    ours = len(tries) + workers + calls
    return ours + mails.purge() + telegram.purge() + payments.purge()


def run_once(app: Flask) -> bool:
    """Run every working sweep once to completion in this process. False when one failed."""
    due = [sweep for sweep in sweeps(app.config["PANEL"]) if not sweep.is_for_living]
    done = [_run(app, sweep, worker=f"{socket.gethostname()}{health.SINGLE_RUN}", wait=True) for sweep in due]
    return all(each is not None for each in done)


def work(app: Flask) -> None:
    """Run until SIGTERM or SIGINT, then stop within five seconds."""
    stopping = _StopSignal()
    settings: Settings = app.config["PANEL"]
    slot, _held = take_slot(settings)
    executor = f"{socket.gethostname()}-{_folder_digest(settings)}-{slot}"
    while (why := _why_not_startable(app)) is not None:
        log.warning("worker cannot start yet", why=why, again_in_seconds=START_AGAIN_SECONDS)
        if stopping.is_asked(within_seconds=START_AGAIN_SECONDS):
            return
    _free_call_slots(app, executor=executor)
    with app.app_context():
        write_if_unlocked(lambda: health.beat(executor, now=utc_now()))
    pacer = _pacer(app, executor=executor)
    pacer.start()
    log.info("worker started", worker=executor)
    stopping.wait()
    log.info("worker stops", worker=executor)
    _is_stopping.set()
    pacer.stop(within_seconds=STOP_SECONDS)
    sys.stderr.flush()
    # Threads that still wait for a provider don't hold the process up: what they do is leased, and done again.
    os._exit(0)


def _why_not_startable(app: Flask) -> str | None:
    """Why the worker can't start yet (its database is unavailable or locked); None when it can."""
    try:
        with app.app_context():
            clocks.check_clock()
    except SQLAlchemyError as error:
        if not is_unavailable(error):
            raise
        return driver_message(error)
    return None


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


def _folder_digest(settings: Settings) -> str:
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
    """Waits for a stop signal. Created before other threads start, so that no signal is missed."""

    def __init__(self) -> None:
        self._signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)

    def wait(self) -> None:
        signal.sigwait(self._signals)

    def is_asked(self, *, within_seconds: float) -> bool:
        return signal.sigtimedwait(self._signals, within_seconds) is not None


def _pacer(app: Flask, *, executor: str) -> Pacer:
    def next_due(after: datetime) -> datetime | None:
        with app.app_context():
            return due_times.next_after(after)

    def is_first() -> bool:
        with app.app_context():
            return health.is_first(executor, now=utc_now())

    with app.app_context():
        watch = commit_watch.commit_watch(db.engine)
    return Pacer(
        sweeps(app.config["PANEL"]),
        run=lambda sweep: bool(_run(app, sweep, worker=executor)),
        commits=watch,
        next_due=next_due,
        is_first=is_first,
    )


_running: dict[str, threading.Lock] = {}
_is_stopping = threading.Event()


def _run(app: Flask, sweep: Sweep, *, worker: str, wait: bool = False) -> int | None:
    """Run a sweep unless it is running in this process. What it did; None after a failure, which is logged."""
    lock = _running.setdefault(sweep.name, threading.Lock())
    if not lock.acquire(blocking=False):
        return 0
    try:
        with app.app_context():
            options = {"wait": True} if wait and sweep.has_lanes else {}
            return sweep.run(worker=worker, **options)
    except Exception as error:
        if _is_stopping.is_set():
            return None  # Interrupted by shutdown: the next worker runs it again.
        if is_unavailable(error):
            log.warning("database unavailable", sweep=sweep.name, why=driver_message(error))
        else:
            log.exception("sweep failed", sweep=sweep.name)
        return None
    finally:
        lock.release()
