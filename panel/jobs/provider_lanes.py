"""Lanes (threads of one provider or webhook endpoint): a slow one only delays its own work.

Each job has its own set of lanes, so webhooks never delay provider calls. A sweep starts each free lane and returns
without waiting unless `wait` is set; busy lanes are skipped.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog
from flask import Flask, current_app

from panel.db import db

# Threads of one job. Each only waits for an answer, most of the time.
MAX_THREADS = 256

log = structlog.get_logger()
_pools: dict[str, ThreadPoolExecutor] = {}
# Busy lanes by job and id.
_busy: Counter[tuple[str, int]] = Counter()
_guard = threading.Lock()


def run(job: str, lanes: Mapping[int, int] | Iterable[int], work: Callable[[int], int], *, wait: bool) -> int:
    """Run `work(id)` in each free lane of this job: one for each id, or as many as a mapping says.

    Returns the sum of the results when `wait` is set, else 0.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    wanted = lanes if isinstance(lanes, Mapping) else dict.fromkeys(lanes, 1)
    futures = [_pool(job).submit(_serve, app, lane, work) for lane in _free(job, wanted)]
    return sum(future.result() for future in futures) if wait else 0


def busy() -> frozenset[tuple[str, int]]:
    """The lanes that work now, by job and id."""
    with _guard:
        return frozenset(_busy)


def _pool(job: str) -> ThreadPoolExecutor:
    with _guard:
        if job not in _pools:
            _pools[job] = ThreadPoolExecutor(max_workers=MAX_THREADS, thread_name_prefix=f"lane-{job}")
        return _pools[job]


def _free(job: str, wanted: Mapping[int, int]) -> list[tuple[str, int]]:
    with _guard:
        free = [(job, one) for one, number in wanted.items() for _ in range(number - _busy[job, one])]
        _busy.update(free)
    return free


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
            _busy[lane] -= 1
            if not _busy[lane]:
                del _busy[lane]
