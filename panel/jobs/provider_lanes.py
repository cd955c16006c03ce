"""Lanes (one thread per provider or webhook endpoint): a slow one only delays its own work.

Each job has its own set of lanes, so webhooks never delay provider calls. A sweep starts each free lane and returns
without waiting unless `wait` is set; busy lanes are skipped.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import structlog
from flask import Flask, current_app

from panel.db import db

MAX_LANES = 32

log = structlog.get_logger()
_pools: dict[str, ThreadPoolExecutor] = {}
_busy: set[tuple[str, int]] = set()
_guard = threading.Lock()


def run(job: str, ids: Iterable[int], work: Callable[[int], int], *, wait: bool) -> int:
    """Run `work(id)` in each free lane of this job. Returns the sum of the results when `wait` is set, else 0."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    futures = [_pool(job).submit(_serve, app, lane, work) for lane in _free(job, ids)]
    return sum(future.result() for future in futures) if wait else 0


def _pool(job: str) -> ThreadPoolExecutor:
    with _guard:
        if job not in _pools:
            _pools[job] = ThreadPoolExecutor(max_workers=MAX_LANES, thread_name_prefix=f"lane-{job}")
        return _pools[job]


def _free(job: str, ids: Iterable[int]) -> list[tuple[str, int]]:
    with _guard:
        lanes = [(job, one) for one in ids if (job, one) not in _busy]
        _busy.update(lanes)
    return lanes


def _serve(app: Flask, lane: tuple[str, int], work: Callable[[int], int]) -> int:
    try:
        with app.app_context():
            try:
                return work(lane[1])
            finally:
                db.session.remove()
    except Exception:
        log.exception("lane_failed", job=lane[0], id=lane[1])
        return 0
    finally:
        with _guard:
            _busy.discard(lane)
