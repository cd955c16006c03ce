"""Turns at password hashing: two requests of a process at most, one of them running, so that pages stay quick.

Argon2 fills a core and 19 MiB for some thirty milliseconds. Without a bound, eight concurrent log-ins made pages up
to a hundred times slower.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from panel.domain.errors import TooManyTries

MAX_AT_ONCE = 2
BUSY = "Many people are logging in at this moment, so this was not tried. Try again in a second."

_places = threading.BoundedSemaphore(MAX_AT_ONCE)
# Held while a password is hashed, so that others wait.
running = threading.Lock()


@contextmanager
def turn() -> Iterator[None]:
    """Hold a place for a request that will hash. Raises TooManyTries when all are taken: take it before counting."""
    if not _places.acquire(blocking=False):
        raise TooManyTries(BUSY, retry_after_seconds=1)
    try:
        yield
    finally:
        _places.release()
