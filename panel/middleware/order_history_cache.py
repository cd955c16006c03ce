"""Response cache for the order history: each customer's pages of `/orders`, one per session, theme and address.

Session and person are read from the database with every request, in one indexed read; a page is reused only while
everything that read says is the same: the versions of orders and catalogue, email, role, balance, settings. The time
on the page is filled in each time. For a new page, Flask gets the session and theme cookies alone, and its response is
cached only if it is marked as made for that very session.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from panel.middleware.captured_response import CapturedResponse, TimePlaceholders
from panel.middleware.response_cache import ResponseCache
from panel.middleware.session_lookup import SessionLookup, address_of
from panel.security.request_identity import MADE_FOR, THEME_COOKIE, theme_of
from panel.services.accounts.sessions import SIGNED_IN, SignedIn

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/orders"
# A page is about 35 kB.
MAX_PAGES = 300
MAX_ADDRESS_LENGTH = 4096

# The session cookie, the theme, and the address.
_Key = tuple[str, str, str]


class OrderHistoryCache:
    def __init__(self, inner: "WSGIApplication", sessions: SessionLookup, *, max_pages: int = MAX_PAGES) -> None:
        self._inner = inner
        self._sessions = sessions
        self._times = TimePlaceholders()
        self._cache: ResponseCache[_Key, SignedIn, CapturedResponse] = ResponseCache(
            self._key_of, self._versions_of, max_entries=max_pages
        )

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        found = self._cache.look_up(environ)
        if found is None:
            return self._inner(environ, start_response)
        (session, theme, _address), person, page = found
        if page is None:
            own = f"{self._sessions.cookie_name}={session}"
            cookies = f"{own}; {THEME_COOKIE}={theme}" if theme else own
            environ.update({"HTTP_COOKIE": cookies, SIGNED_IN: person})
            page = CapturedResponse(self._inner, environ, self._times)
            if page.may_be_cached_for(person.token):
                self._cache.store(found.key, person, page)
        else:
            environ[MADE_FOR] = person.token
        return page.send(start_response)

    def _key_of(self, environ: "WSGIEnvironment") -> _Key | None:
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "GET" or "HTTP_HX_REQUEST" in environ:
            return None
        session, address = self._sessions.cookie_of(environ), address_of(environ)
        return (session, theme_of(environ), address) if session and len(address) <= MAX_ADDRESS_LENGTH else None

    def _versions_of(self, environ: "WSGIEnvironment", _key: _Key) -> SignedIn | None:
        return self._sessions.signed_in(environ)
