"""Concurrency helpers: run functions in threads that start together, or in separate processes."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import Queue
from pathlib import Path
from threading import Barrier
from typing import Any

from flask import Flask

from panel.application import create_app
from panel.db import db, transaction
from panel.domain.errors import InsufficientBalance
from panel.services.orders import placing as order_placing
from panel.services.orders.placing import Placing
from tests.support import databases
from tests.support.factories import LINK, NOON

REACH_LOCK_SECONDS = 0.5


class _Nothing(Exception):
    """Never raised: expecting it is expecting no failure."""


def run_concurrently(
    app: Flask, acts: Sequence[Callable[[], Any]], *, expected: type[Exception] = _Nothing
) -> list[Any]:
    """Do all of these in threads that start together; what each returned, or the expected failure it raised."""
    db.session.rollback()
    together = Barrier(len(acts), timeout=30)

    def do(act: Callable[[], Any]) -> Any:
        with app.app_context():
            try:
                together.wait()
                return act()
            except expected as failure:
                return failure
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result(60) for future in [pool.submit(do, act) for act in acts]]


def start_in_thread(app: Flask, act: Callable[[], Any]) -> Future[Any]:
    """Begin this in another thread and give it the time to come as far as it can, which may be a lock of ours."""

    def do() -> Any:
        with app.app_context():
            try:
                return act()
            finally:
                db.session.remove()

    pool = ThreadPoolExecutor(1)
    begun = pool.submit(do)
    pool.shutdown(wait=False)
    time.sleep(REACH_LOCK_SECONDS)
    return begun


def placing(customer_id: int, slug: str, number: int) -> Callable[[], int]:
    """Place one order of ten pieces; its id."""

    def place() -> int:
        asked = Placing(slug, LINK, "10", f"at-once-{number:04d}")
        with transaction():
            return order_placing.place_order(customer_id, asked=asked, now=NOON).id

    return place


def place_many(
    instance: Path, database_url: str, customer_id: int, slug: str, numbers: Iterable[int], placed: "Queue[int]"
) -> None:
    """In a process of its own: place these orders one after the other, and say how many were paid for."""
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
