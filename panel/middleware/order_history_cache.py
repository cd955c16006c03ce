"""Response cache for the order history: each customer's pages of `/orders`, one per session, theme and address.

Session and person are read from the database with every request, in one indexed read; a page is reused only while
everything that read says is the same: the versions of orders and catalogue, email, role, balance, settings. The time
on the page is filled in each time. For a new page, Flask gets the session and theme cookies alone, and its response is
cached only if it is marked as made for that very session.
"""

from typing import TYPE_CHECKING

from panel.middleware.bare_request import bare_environ
from panel.middleware.captured_response import CapturedResponse
from panel.middleware.response_cache import ResponseCache
from panel.middleware.session_lookup import SessionLookup, address_of
from panel.security.request_identity import THEME_COOKIE, theme_of
from panel.services.accounts.sessions import SIGNED_IN, SignedIn

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

PATH = "/orders"
# A page is about 35 kB.
MAX_PAGES = 300
MAX_ADDRESS_LENGTH = 4096

# The session cookie, the theme, and the address.
_Key = tuple[str, str, str]


class OrderHistoryCache(ResponseCache[_Key, SignedIn]):
    def __init__(self, inner: "WSGIApplication", sessions: SessionLookup, *, max_pages: int = MAX_PAGES) -> None:
        super().__init__(inner, max_entries=max_pages)
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
            self.store(key, versions, page)
        return page
