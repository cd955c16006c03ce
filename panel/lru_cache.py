"""Thread-safe LRU cache: `cachetools.LRUCache` with a lock around each use."""

from collections.abc import Callable, Hashable, Iterable
from threading import Lock
from typing import Generic, TypeVar

from cachetools import LRUCache as UnsafeLRUCache

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LRUCache(Generic[Key, Value]):
    """Values by key, at most `max_entries`: the least recently used one is dropped first."""

    def __init__(self, max_entries: int) -> None:
        self._entries: UnsafeLRUCache[Key, Value] = UnsafeLRUCache(max_entries)
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        try:
            with self._lock:
                return self._entries[key]
        except KeyError:
            return None

    def set(self, key: Key, value: Value) -> None:
        with self._lock:
            if self._entries.maxsize:
                self._entries[key] = value

    def get_or_make(self, key: Key, make: Callable[[], Value]) -> Value:
        """The cached value, or the one made now. `make` runs outside the lock, so two threads may both run it."""
        value = self.get(key)
        if value is None:
            value = make()
            self.set(key, value)
        return value

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """The cached ones among these keys."""
        with self._lock:
            return {key: self._entries[key] for key in keys if key in self._entries}
