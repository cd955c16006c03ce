"""Response cache for public pages: one per address and theme for all visitors, with ETag and compressed bodies.

WSGI middleware for GETs without a session and without a query. A cached page is reused only while these are as they
were before the page was rendered:

- the catalogue's version, which tools, paused providers and incidents change;
- the reading that measured figures come from (`services/delivery_times`, at most a minute old);
- the minute, for all else that changes with time, such as the platform status.

The version is read VERSION_READS_A_SECOND, and as soon as this process commits something. Only pages of PAGES are
cached, and only responses that Flask marked as made for a visitor.
"""

import hashlib
import time
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from sqlalchemy import select

from panel.assets.encodings import compress, encoding_for
from panel.clock import utc_now
from panel.db import commit_count, db
from panel.db.lru_cache import LRUCache
from panel.db.read_only import read_lock, reader
from panel.middleware.captured_response import CapturedResponse, bare_environ, fill_times, send
from panel.middleware.response_cache import ResponseCache
from panel.middleware.session_lookup import SessionLookup
from panel.models import Catalogue
from panel.security.request_identity import THEME_COOKIE, VISITOR, theme_of
from panel.services import delivery_times
from panel.services.help.content import GUIDES
from panel.services.stored_settings import live as live_settings

# The public pages that are the same for all visitors, by their URL rules.
PAGES = frozenset(
    {
        "/",
        "/api",
        "/order-statuses/<slug>",
        "/platform-status",
        "/platform-status/incidents/<slug>",
        "/tools",
        "/tools/<slug>",
        "/updates",
        *(f"/{guide}" for guide in GUIDES),
    }
)
MAX_PAGES = 2_000
# Each read hands the interpreter's lock to another thread: one per request would halve the throughput.
VERSION_READS_A_SECOND = 20

VARY = ("Vary", "Accept-Encoding, Cookie")
REVALIDATE = ("Cache-Control", "no-cache")

# The path and the theme; and the catalogue's version, the minute, and when measured figures were read.
_Key = tuple[str, str]
_Versions = tuple[int, int, datetime | None]


class CachedPage:
    """A page with its ETag, and its body in each encoding that was asked for so far."""

    def __init__(self, response: CapturedResponse) -> None:
        # The time of rendering is not a change, so it is left out of the ETag.
        digest = hashlib.blake2b(b"".join(response.pieces), digest_size=16).hexdigest()
        own = [pair for pair in response.headers if pair[0].lower() != "vary"]
        self._tag = f'"{digest}"'
        self._headers = [*own, ("ETag", f"W/{self._tag}"), VARY, REVALIDATE]
        self._bodies = {"": fill_times(response.pieces)}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._tag in environ.get("HTTP_IF_NONE_MATCH", ""):
            start_response("304 Not Modified", self._headers[-3:])
            return []
        encoding = encoding_for(environ.get("HTTP_ACCEPT_ENCODING", ""))
        headers = [*self._headers, ("Content-Encoding", encoding)] if encoding else self._headers
        body = send("200 OK", headers, self._body(encoding), start_response)
        return body if environ["REQUEST_METHOD"] == "GET" else []

    def _body(self, encoding: str) -> bytes:
        found = self._bodies.get(encoding)
        if found is None:
            found = self._bodies[encoding] = compress(self._bodies[""], encoding)
        return found


class PublicPageCache(ResponseCache[_Key, _Versions, CachedPage]):
    def __init__(self, inner: WSGIApplication, sessions: SessionLookup, app: Flask) -> None:
        super().__init__(inner, LRUCache(MAX_PAGES))
        self._sessions = sessions
        self._catalogue_version = lru_cache(1)(self._read_catalogue_version)
        with app.app_context():
            self._database = str(db.engine.url)
            self._lock = read_lock(db.engine)
            self._read = reader(db.engine, select(Catalogue.version))
        self._app = app

    def key_of(self, environ: WSGIEnvironment) -> _Key | None:
        if (
            environ["REQUEST_METHOD"] not in ("GET", "HEAD")
            or environ.get("QUERY_STRING")
            or "HTTP_HX_REQUEST" in environ
            or self._sessions.cookie_of(environ) is not None
        ):
            return None
        path = environ["PATH_INFO"]
        is_public = path in PAGES or f"{path.rpartition('/')[0]}/<slug>" in PAGES
        return (path, theme_of(environ)) if is_public else None

    def versions_of(self, _environ: WSGIEnvironment, _key: _Key) -> _Versions | None:
        # Counted before the read, so that a commit during the read causes another read.
        version = self._catalogue_version(commit_count(), int(time.monotonic() * VERSION_READS_A_SECOND))
        if version is None:
            return None
        now = utc_now()
        return version, int(now.timestamp()) // 60, delivery_times.read_at(self._database, now=now)

    def _read_catalogue_version(self, _commits: int, _moment: int) -> int | None:
        with self._lock:
            rows = self._read({})
        return rows[0][0] if rows else None

    def make(self, environ: WSGIEnvironment, key: _Key, versions: _Versions) -> WSGIApplication:
        if environ["REQUEST_METHOD"] == "HEAD":
            return self.inner
        with self._app.app_context():
            live_settings.follow(versions[0])
        visitors = bare_environ(environ, cookies={THEME_COOKIE: key[1]}, public_url=self._sessions.public_url)
        response = CapturedResponse(self.inner, visitors)
        if not response.may_be_cached_for(VISITOR):
            return response
        page = CachedPage(response)
        catalogue_version, minute, read_at = versions
        # Without a reading, the figures were read for this page, if it has any.
        read_at = read_at or delivery_times.read_at(self._database, now=utc_now())
        self.entries.set(key, ((catalogue_version, minute, read_at), page))
        return page
