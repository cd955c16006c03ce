"""Keeps what was read for a moment, so that a status page that everybody opens at once costs one read."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from panel.db import db

KEPT_FOR = timedelta(seconds=10)

Read = TypeVar("Read")
_kept: dict[tuple[str, str], tuple[datetime, Any]] = {}
# A read may need another one: the board reads what is now.
_one_reads = threading.RLock()


def cached(name: str, reader: Callable[[], Read], *, kept_for: timedelta = KEPT_FOR, now: datetime) -> Read:
    """What was read under this name a moment ago, or else what `reader` says now."""
    key = (str(db.engine.url), name)
    with _one_reads:
        known = _kept.get(key)
        if known is None or not known[0] <= now < known[0] + kept_for:
            known = _kept[key] = (now, reader())
    result: Read = known[1]
    return result


def clear() -> None:
    """Clear this process's cache."""
    _kept.clear()
