"""Turns at password hashing: two requests of a process at most, one of them running, so that pages stay quick.

Argon2 fills a core and 19 MiB for some thirty milliseconds. Without a bound, eight concurrent log-ins made pages up
to a hundred times slower.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from panel.domain.errors import TooManyTries

MAX_AT_ONCE = 2
# Then a request goes on beside the one before it, which may be waiting for a database that is away.
MAX_WAIT_SECONDS = 0.5
BUSY = "Many people are logging in at this moment, so this was not tried. Try again in a second."

_places = threading.BoundedSemaphore(MAX_AT_ONCE)
# Held while a password is hashed, so that others wait.
running = threading.Lock()
# Held by the log-in request that computes, see `log_in_request`.
_computing = threading.Lock()
_mine = threading.local()


@contextmanager
def turn() -> Iterator[None]:
    """Hold a place for a request that will hash. Raises TooManyTries when all are taken: take it before counting."""
    if not _places.acquire(blocking=False):
        raise TooManyTries(BUSY, retry_after_seconds=1)
    _let_others_compute()
    try:
        yield
    finally:
        _places.release()


@contextmanager
def log_in_request() -> Iterator[None]:
    """Around a request for the log-in form: one of a process computes at a time, beside those that hold a `turn`.

    Threads that compute compete for the interpreter, also with those of pages; threads that wait for a lock don't.
    """
    _mine.computes = _computing.acquire(timeout=MAX_WAIT_SECONDS)
    try:
        yield
    finally:
        _let_others_compute()


def _let_others_compute() -> None:
    if getattr(_mine, "computes", False):
        _mine.computes = False
        _computing.release()
