"""Response cache: WSGI middleware that sends a response again while the versions it was made from are current.

The order history, visitors' pages and the API's reads each are one. What they share is here: which requests are
theirs, when an entry is valid, and that the versions are read before the response is made. So a response may be newer
than its versions, never older.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from panel.db.lru_cache import LRUCache

Key = TypeVar("Key", bound=Hashable)
Versions = TypeVar("Versions")
Response = TypeVar("Response", bound=WSGIApplication)


class ResponseCache(ABC, Generic[Key, Versions, Response]):
    """Responses by key, each with its versions; every other request goes on to `inner`."""

    def __init__(self, inner: WSGIApplication, entries: LRUCache[Key, tuple[Versions, Response]]) -> None:
        self.inner = inner
        self.entries = entries

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        key = self.key_of(environ)
        versions = None if key is None else self.versions_of(environ, key)
        if key is None or versions is None:
            return self.inner(environ, start_response)
        entry = self.entries.get(key)
        if entry is not None and entry[0] == versions:
            return entry[1](environ, start_response)
        return self.make(environ, key, versions)(environ, start_response)

    @abstractmethod
    def key_of(self, environ: WSGIEnvironment) -> Key | None:
        """Which response a request asks for; None for a request that this cache does not handle."""

    @abstractmethod
    def versions_of(self, environ: WSGIEnvironment, key: Key) -> Versions | None:
        """Current versions that the response depends on; None if they can't be read, or it must not be sent."""

    @abstractmethod
    def make(self, environ: WSGIEnvironment, key: Key, versions: Versions) -> WSGIApplication:
        """A new response, or `inner` to leave it to that. Stores the response if it may be sent again."""
