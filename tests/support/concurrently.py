"""Concurrency helpers: run functions in threads that start together, or in separate processes."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from multiprocessing import Queue
from pathlib import Path
from threading import Barrier
from typing import Any

from flask import Flask
from sqlalchemy import text

from panel.application import create_app
from panel.db import db, transaction
from panel.domain.errors import InsufficientBalance
from panel.services.orders import placing as order_placing
from panel.services.orders.placing import Placing
from tests.support import databases
from tests.support.factories import LINK, NOON

# SQLite sleeps while it waits for its lock, which Linux tells of each thread. Elsewhere a thread gets this much time.
REACH_LOCK_SECONDS = 0.5
MAX_SECONDS = 30
LOOK_AGAIN_SECONDS = 0.01
WAITING_FOR_LOCKS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class _NoFailure(Exception):
    """Never raised: the expected exception if none is expected."""


def run_concurrently(
    app: Flask, calls: Sequence[Callable[[], Any]], *, expected: type[Exception] = _NoFailure
) -> list[Any]:
    """Run all of these in threads that start together; returns each one's result or expected exception."""
    db.session.rollback()
    together = Barrier(len(calls), timeout=30)

    def do(call: Callable[[], Any]) -> Any:
        with app.app_context():
            try:
                together.wait()
                return call()
            except expected as failure:
                return failure
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(60) for future in [pool.submit(do, call) for call in calls]]


def start_in_thread(app: Flask, call: Callable[[], Any]) -> Future[Any]:
    """Start this in another thread; returns once it has ended or waits for one of our locks."""

    threads: list[int] = []

    def do() -> Any:
        threads.append(threading.get_native_id())
        with app.app_context():
            try:
                return call()
            finally:
                db.session.remove()

    pool = ThreadPoolExecutor(1)
    begun = pool.submit(do)
    pool.shutdown(wait=False)
    _wait_until_done_or_blocked(begun, threads)
    return begun


def _wait_until_done_or_blocked(begun: Future[Any], threads: list[int]) -> None:
    if db.engine.dialect.name == "sqlite":
        until = time.monotonic() + REACH_LOCK_SECONDS
        while not wait([begun], timeout=LOOK_AGAIN_SECONDS).done and time.monotonic() < until:
            if threads and _sleeps(threads[0]):
                return
        return
    until = time.monotonic() + MAX_SECONDS
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as looking:
        while not wait([begun], timeout=LOOK_AGAIN_SECONDS).done and not looking.scalar(WAITING_FOR_LOCKS):
            assert time.monotonic() < until, "it neither ends nor waits for a lock"


def _sleeps(thread: int) -> bool:
    """Whether this thread of ours sleeps for a time, as SQLite does between two attempts to get its lock."""
    try:
        return "nanosleep" in Path(f"/proc/self/task/{thread}/wchan").read_text()
    except OSError:
        return False


def placing(customer_id: int, slug: str, number: int) -> Callable[[], int]:
    """Place an order with quantity 10; returns its id."""

    def place() -> int:
        asked = Placing(slug, LINK, "10", f"at-once-{number:04d}")
        with transaction():
            return order_placing.place_order(customer_id, asked=asked, now=NOON).id

    return place


def place_many(
    instance: Path, database_url: str, customer_id: int, slug: str, numbers: Iterable[int], placed: "Queue[int]"
) -> None:
    """In a separate process: place these orders one after another; returns how many were paid for."""
    app = create_app(databases.settings_for(instance, database_url=database_url))
    count = 0
    with app.app_context():
        for number in numbers:
            try:
                placing(customer_id, slug, number)()
            except InsufficientBalance:
                continue
            count += 1
    databases.close(app)
    placed.put(count)
