"""Turns at password hashing: two requests of a process at most, one of them running, so that pages stay quick.

Argon2 fills a core and 19 MiB for some thirty milliseconds. Without a bound, eight concurrent log-ins made pages up
to a hundred times slower.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from panel.domain.errors import TooManyTries

MAX_AT_ONCE = 2
# Then a request goes on beside the one before it, which may be waiting for a database that is away.
MAX_WAIT_SECONDS = 0.5
# How long the log-in waits for other requests of the process, and how often it looks.
MAX_GIVE_WAY_SECONDS = 0.05
LOOK_SECONDS = 0.0005
BUSY = "Many people are logging in at this moment, so this was not tried. Try again in a second."

_places = threading.BoundedSemaphore(MAX_AT_ONCE)
# Held while a password is hashed, so that others wait.
running = threading.Lock()
# Held by the log-in request that computes, see `log_in_request`.
_computing = threading.Lock()
_mine = threading.local()
# Threads that answer other requests than those of the log-in.
_answering = set[int]()


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
    give_way()
    try:
        yield
    finally:
        _let_others_compute()


def _let_others_compute() -> None:
    if getattr(_mine, "computes", False):
        _mine.computes = False
        _computing.release()


def begin_other_request() -> None:
    """Before every other request: the log-in gives way to it until `end_other_request`."""
    _answering.add(threading.get_ident())


def end_other_request() -> None:
    _answering.discard(threading.get_ident())


def give_way() -> None:
    """Wait until no other request is being answered, for a moment at most.

    A page takes the interpreter's lock after each read of the database, and would wait each time for a thread that
    computes.
    """
    until = time.monotonic() + MAX_GIVE_WAY_SECONDS
    mine = threading.get_ident()
    while len(_answering) > (mine in _answering) and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
