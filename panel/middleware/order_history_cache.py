"""Response cache for the order history: each customer's pages of `/orders`, one per session, theme and address.

Session and person are read from the database with every request, in one indexed read; a page is reused only while
everything that read says is the same: the versions of orders and catalogue, email, role, balance, settings. The time
on the page is filled in each time. For a new page, Flask gets the session and theme cookies alone, and its response is
cached only if it is marked as made for that very session.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from panel.lru_cache import LRUCache
from panel.middleware.bare_request import bare_environ
from panel.middleware.captured_response import CapturedResponse, Headers, fill_times, send, split_at_times
from panel.middleware.response_cache import ResponseCache
from panel.middleware.session_lookup import SessionLookup, address_of
from panel.security.request_identity import THEME_COOKIE, theme_of
from panel.services.accounts.sessions import SIGNED_IN, SignedIn

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/orders"
# For 10,000 active customers. A page of 25 orders weighs 7 kB, uncompressed 46 kB: 70 MB and 14 MB.
MAX_PAGES, MAX_UNCOMPRESSED_PAGES = 10_000, 300
MAX_ADDRESS_LENGTH = 4096

# The session cookie, the theme, and the address.
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, eq=False)
class _CompressedPage:
    """A page to be sent again, with the current time filled in."""

    headers: Headers
    body: bytes

    def __call__(self, _environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return send("200 OK", self.headers, fill_times(_uncompressed(self)), start_response)


@lru_cache(MAX_UNCOMPRESSED_PAGES)
def _uncompressed(page: _CompressedPage) -> tuple[bytes, ...]:
    return split_at_times(zlib.decompress(page.body))


class OrderHistoryCache(ResponseCache[_Key, SignedIn, _CompressedPage]):
    def __init__(self, inner: "WSGIApplication", sessions: SessionLookup, *, max_pages: int = MAX_PAGES) -> None:
        super().__init__(inner, LRUCache(max_pages))
        self._sessions = sessions

    def key_of(self, environ: "WSGIEnvironment") -> _Key | None:
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "GET" or "HTTP_HX_REQUEST" in environ:
            return None
        session, address = self._sessions.cookie_of(environ), address_of(environ)
        return (session, theme_of(environ), address) if session and len(address) <= MAX_ADDRESS_LENGTH else None

    def versions_of(self, environ: "WSGIEnvironment", _key: _Key) -> SignedIn | None:
        return self._sessions.signed_in(environ)

    def make(self, environ: "WSGIEnvironment", key: _Key, versions: SignedIn) -> "WSGIApplication":
        session, theme, _address = key
        cookies = {self._sessions.cookie_name: session, THEME_COOKIE: theme}
        bare = bare_environ(environ, cookies=cookies, public_url=self._sessions.public_url, **{SIGNED_IN: versions})
        page = CapturedResponse(self.inner, bare)
        if page.may_be_cached_for(versions.token):
            self.store(key, versions, _CompressedPage(page.headers, zlib.compress(page.body, 1)))
        return page
