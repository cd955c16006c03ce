"""Cache with a maximum age, for measured figures: the result of a query is reused until it is `max_age` old.

For figures that many pages show and that may lag behind. What must be current is cached by version instead:
`panel/middleware/response_cache.py`.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import RLock
from typing import Any, NamedTuple, TypeVar

from panel.db import db

MAX_AGE = timedelta(seconds=10)

Value = TypeVar("Value")


class _Entry(NamedTuple):
    value: Any
    at: datetime
    max_age: timedelta
    version: str

    def is_fresh(self, *, now: datetime) -> bool:
        return self.at <= now < self.at + self.max_age


_entries: dict[tuple[str, str], _Entry] = {}
# One thread runs a query, and the others wait for its result. A query may need another cached one.
_locks: defaultdict[str, RLock] = defaultdict(RLock)


def cached(
    name: str, read: Callable[[], Value], *, max_age: timedelta = MAX_AGE, version: str = "", now: datetime
) -> Value:
    """The cached result of `read`, or a new one if it is older than `max_age` or of another version."""
    key = (str(db.engine.url), name)
    with _locks[name]:
        entry = _entries.get(key)
        if entry is None or entry.version != version or not entry.is_fresh(now=now):
            entry = _entries[key] = _Entry(read(), now, max_age, version)
    value: Value = entry.value
    return value


def cached_at(name: str, *, database: str, now: datetime) -> datetime | None:
    """When this database was read for the cached value; None if it is missing or expired."""
    entry = _entries.get((database, name))
    return entry.at if entry is not None and entry.is_fresh(now=now) else None


def clear(*names: str) -> None:
    """Clear the values with these names, or all, in this process."""
    for key in [key for key in list(_entries) if not names or key[1] in names]:
        _entries.pop(key, None)
