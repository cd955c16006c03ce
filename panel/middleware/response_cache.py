"""Response cache: an LRU of responses, each reused only while the versions it was made from are current.

The order history, visitors' pages and the API's `status` each use one. What they share is here: when an entry is
valid, and that the versions are read before the response is made. So a response may be newer than its versions, never
older.
"""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from panel.lru_cache import LRUCache

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Key = TypeVar("Key", bound=Hashable)
Versions = TypeVar("Versions")
Cached = TypeVar("Cached")


class Lookup(NamedTuple, Generic[Key, Versions, Cached]):
    """A request's key, the versions as they are now, and the cached response if it was made from those."""

    key: Key
    versions: Versions
    cached: Cached | None


class ResponseCache(Generic[Key, Versions, Cached]):
    """Responses by key.

    `key_of`: which response a request asks for; None for a request that this cache does not handle.
    `versions_of`: what that response depends on, as it is now; None if it can't be read, or must not be answered.
    """

    def __init__(
        self,
        key_of: "Callable[[WSGIEnvironment], Key | None]",
        versions_of: "Callable[[WSGIEnvironment, Key], Versions | None]",
        *,
        max_entries: int,
    ) -> None:
        self._key_of = key_of
        self._versions_of = versions_of
        self._entries: LRUCache[Key, tuple[Versions, Cached]] = LRUCache(max_entries)

    def __len__(self) -> int:
        return len(self._entries)

    def look_up(self, environ: "WSGIEnvironment") -> Lookup[Key, Versions, Cached] | None:
        """None: leave this request to Flask."""
        key = self._key_of(environ)
        if key is None:
            return None
        versions = self._versions_of(environ, key)
        if versions is None:
            return None
        entry = self._entries.get(key)
        if entry is None or entry[0] != versions:
            return Lookup(key, versions, None)
        return Lookup(key, versions, entry[1])

    def store(self, key: Key, versions: Versions, response: Cached) -> None:
        """Cache a response under the versions that were read before it was made."""
        self._entries.set(key, (versions, response))
