"""Thread-safe LRU cache: `cachetools.LRUCache` with a lock around each use."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from threading import Lock
from typing import Generic, TypeVar

from cachetools import LRUCache as UnsafeLRUCache

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LRUCache(Generic[Key, Value]):
    """Values by key: the least recently used ones are dropped first.

    `max_size` counts entries, or whatever `size_of` says of each value, as bytes.
    """

    def __init__(self, max_size: int, *, size_of: Callable[[Value], int] = lambda _value: 1) -> None:
        self._size_of = size_of
        self._entries: UnsafeLRUCache[Key, Value] = UnsafeLRUCache(max_size, size_of)
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        try:
            with self._lock:
                return self._entries[key]
        except KeyError:
            return None

    def get_all(self, keys: Iterable[Key]) -> list[Value | None]:
        """The value of each key, None where there is none."""
        found: list[Value | None] = []
        with self._lock:
            for key in keys:
                # `get` would look each of them up twice.
                try:
                    found.append(self._entries[key])
                except KeyError:
                    found.append(None)
        return found

    def set(self, key: Key, value: Value) -> list[tuple[Key, Value]]:
        """Store a value, unless it is larger than the whole cache. Returns what was dropped for it."""
        size, dropped = self._size_of(value), []
        with self._lock:
            self._entries.pop(key, None)
            if size <= self._entries.maxsize:
                while self._entries.currsize + size > self._entries.maxsize:
                    dropped.append(self._entries.popitem())
                self._entries[key] = value
        return dropped

    def set_all(self, values: Mapping[Key, Value]) -> None:
        """Store these values."""
        with self._lock:
            for key, value in values.items():
                # It drops others itself, and none larger than the whole cache is stored.
                with suppress(ValueError):
                    self._entries[key] = value

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def get_or_make(self, key: Key, make: Callable[[], Value]) -> Value:
        """The cached value, or the one made now. `make` runs outside the lock, so two threads may both run it."""
        value = self.get(key)
        if value is None:
            value = make()
            self.set(key, value)
        return value


class NewestVersionCache(Generic[Key, Value]):
    """LRU cache whose keys hold a version: when a newer one comes, it begins empty, since the rest is out of date.

    Otherwise entries of old versions would fill it, and a panel that runs for long would take all it may.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size, self._version = max_size, 0
        self._entries: LRUCache[Key, Value] = LRUCache(max_size)

    def at(self, version: int) -> LRUCache[Key, Value]:
        """The entries for a request that has read this version. One that read an earlier version uses them too."""
        if version > self._version:
            self._version, self._entries = version, LRUCache(self._max_size)
        return self._entries

    def clear(self) -> None:
        self._entries.clear()
