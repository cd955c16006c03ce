"""Response cache for the order history: each customer's pages of `/orders`, one per session, theme and address.

Session and person are read from the database with every request, in one indexed read; a page is reused only while
everything that read says is the same: the versions of orders and catalogue, email, role, balance, settings. The time
on the page is filled in each time. For a new page, Flask gets the session and theme cookies alone, and its response is
cached only if it is marked as made for that very session.

Most changes are of orders and balance alone. Then the page around the region, and what the region lists, are known from
the last rendering, and both are rendered again without Flask.
"""

import zlib
from wsgiref.types import WSGIApplication, WSGIEnvironment

from sqlalchemy.exc import SQLAlchemyError

from panel.blueprints.orders.history_again import RENDERED, RenderedHistory
from panel.blueprints.orders.history_region import LIVE, PAGE
from panel.db.lru_cache import LRUCache
from panel.middleware.captured_response import CapturedResponse, bare_environ
from panel.middleware.response_cache import ResponseCache
from panel.middleware.session_lookup import SessionLookup, address_of
from panel.security.request_identity import THEME_COOKIE, theme_of
from panel.services.accounts.sessions import LOGGED_IN, LoggedIn
from panel.services.stored_settings import live as live_settings

# For 10,000 active customers. A page of 25 orders weighs 46 kB, compressed 7 kB: 14 MB and 70 MB.
MAX_PAGES, MAX_COMPRESSED_PAGES = 300, 10_000
MAX_RENDERED = 20_000
MAX_ADDRESS_LENGTH = 4096

# The session cookie, the theme, and the address.
_Key = tuple[str, str, str]
_Entry = tuple[LoggedIn, CapturedResponse]


class _Pages(LRUCache[_Key, _Entry]):
    """The pages used last as they are, and those dropped from there compressed."""

    def __init__(self, max_pages: int, max_compressed: int) -> None:
        super().__init__(max_pages)
        self._compressed: LRUCache[_Key, _Entry] = LRUCache(max_compressed)

    def get(self, key: _Key) -> _Entry | None:
        found = super().get(key)
        if found is None and (compressed := self._compressed.get(key)) is not None:
            person, page = compressed
            found = person, page.with_body(zlib.decompress(page.body))
            self.set(key, found)
        return found

    def set(self, key: _Key, value: _Entry) -> list[tuple[_Key, _Entry]]:
        dropped = super().set(key, value)
        for dropped_key, (person, page) in dropped:
            self._compressed.set(dropped_key, (person, page.with_body(zlib.compress(page.body, 1))))
        return dropped


class OrderHistoryCache(ResponseCache[_Key, LoggedIn, CapturedResponse]):
    def __init__(
        self,
        inner: WSGIApplication,
        sessions: SessionLookup,
        *,
        max_pages: int = MAX_PAGES,
        max_compressed: int = MAX_COMPRESSED_PAGES,
    ) -> None:
        super().__init__(inner, _Pages(max_pages, max_compressed))
        self._sessions = sessions
        # Each response without its body, and how to render that again.
        self._rendered: LRUCache[_Key, tuple[CapturedResponse, RenderedHistory]] = LRUCache(MAX_RENDERED)

    def key_of(self, environ: WSGIEnvironment) -> _Key | None:
        path = environ["PATH_INFO"]
        if path not in (PAGE, LIVE) or environ["REQUEST_METHOD"] != "GET":
            return None
        if path == PAGE and "HTTP_HX_REQUEST" in environ:
            return None
        session, address = self._sessions.cookie_of(environ), address_of(environ)
        return (session, theme_of(environ), address) if session and len(address) <= MAX_ADDRESS_LENGTH else None

    def versions_of(self, environ: WSGIEnvironment, _key: _Key) -> LoggedIn | None:
        return self._sessions.logged_in(environ)

    def make(self, environ: WSGIEnvironment, key: _Key, versions: LoggedIn) -> WSGIApplication:
        page = self._rendered_again(key, versions) or self._from_flask(environ, key, versions)
        # Open windows ask for regions when something has changed, and then for a new one.
        if environ["PATH_INFO"] == PAGE and page.may_be_cached_for(versions.token):
            self.entries.set(key, (versions, page))
        return page

    def _from_flask(self, environ: WSGIEnvironment, key: _Key, versions: LoggedIn) -> CapturedResponse:
        session, theme, _address = key
        cookies = {self._sessions.cookie_name: session, THEME_COOKIE: theme}
        bare = bare_environ(environ, cookies=cookies, public_url=self._sessions.public_url, **{LOGGED_IN: versions})
        page = CapturedResponse(self.inner, bare)
        rendered: RenderedHistory | None = bare.get(RENDERED)
        if rendered is not None and page.may_be_cached_for(versions.token):
            self._rendered.set(key, (page.with_body(b""), rendered))
        return page

    def _rendered_again(self, key: _Key, versions: LoggedIn) -> CapturedResponse | None:
        """The response to this very session with what has changed, if nothing but orders and balance has."""
        found = self._rendered.get(key)
        if found is None:
            return None
        page, rendered = found
        with self._sessions.app.app_context():
            live_settings.follow(versions.catalogue_version)
            try:
                again = rendered.again(versions)
            except SQLAlchemyError:
                # Flask reports it.
                return None
        return None if again is None else page.with_body(again.text.encode(), again.headers)
