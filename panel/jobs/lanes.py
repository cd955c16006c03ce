"""One lane per provider: a provider that hangs keeps only its own lane busy, never another's orders.

A sweep hands each lane its work and does not wait, unless told to; a lane that is still busy is passed over.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import structlog
from flask import Flask, current_app

from panel.db import db

MOST_LANES = 32

log = structlog.get_logger()
_pool = ThreadPoolExecutor(max_workers=MOST_LANES, thread_name_prefix="lane")
_busy: set[tuple[str, int]] = set()
_guard = threading.Lock()


def run(job: str, provider_ids: Iterable[int], work: Callable[[int], int], *, wait: bool) -> int:
    """Run `work(provider_id)` in each free lane of this job; with `wait`, the sum of what they took up, else 0."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    futures = [_pool.submit(_serve, app, lane, work) for lane in _free(job, provider_ids)]
    return sum(future.result() for future in futures) if wait else 0


def _free(job: str, provider_ids: Iterable[int]) -> list[tuple[str, int]]:
    with _guard:
        lanes = [(job, provider_id) for provider_id in provider_ids if (job, provider_id) not in _busy]
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
        log.exception("lane_failed", job=lane[0], provider_id=lane[1])
        return 0
    finally:
        with _guard:
            _busy.discard(lane)
