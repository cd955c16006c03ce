"""Response cache for public pages: one per address and theme for all visitors, with ETag and compressed bodies.

WSGI middleware for GETs without a session and without a query. A cached page is reused only while all that these pages
show is as it was before the page was rendered:

- the catalogue's version (tools and terms), which providers are paused, and the updates on incidents;
- the reading that measured figures come from (`services/delivery_times`, at most a minute old);
- the minute, for all else that changes with time, such as the platform status.

The versions are read again after VERSIONS_MAX_AGE_SECONDS, or as soon as this process commits something. Only pages of
PAGES are cached, and only responses that Flask marked as made for a visitor: see `panel/middleware/bare_request`.
"""

import hashlib
import re
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from flask import Flask
from sqlalchemy import func, select
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from panel.assets.encodings import compress, encoding_for
from panel.clock import utc_now
from panel.db import commit_count, db
from panel.db.lru_cache import LRUCache
from panel.db.read_only import read_lock, reader
from panel.middleware.bare_request import bare_environ
from panel.middleware.captured_response import CapturedResponse, fill_times, send
from panel.middleware.response_cache import ResponseCache
from panel.middleware.session_lookup import SessionLookup
from panel.models import Catalogue, Incident, IncidentUpdate, Provider
from panel.security.request_identity import THEME_COOKIE, VISITOR, theme_of
from panel.services import delivery_times

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The public pages that are the same for all visitors, by their URL rules.
PAGES = frozenset(
    {
        "/",
        "/acceptable-use",
        "/accessibility",
        "/api",
        "/contact",
        "/faq",
        "/getting-started",
        "/how-we-work",
        "/order-statuses",
        "/order-statuses/<slug>",
        "/platform-status",
        "/platform-status/incidents/<slug>",
        "/privacy",
        "/refund-policy",
        "/reliability",
        "/terms-of-service",
        "/tools",
        "/tools/<slug>",
        "/updates",
    }
)
MAX_PAGES = 2_000
# Each read hands the interpreter's lock to another thread: one per request would halve the throughput.
VERSIONS_MAX_AGE_SECONDS = 0.05
MAX_PATH_LENGTH = 250
# How our own links are spelled. Other spellings that lead to a page are answered, but get no cache entry.
_PLAIN_PATH = re.compile(r"/(?:[a-z0-9-]+(?:/[a-z0-9-]+)*)?")

VARY = ("Vary", "Accept-Encoding, Cookie")
REVALIDATE = ("Cache-Control", "no-cache")

_paused = select(Provider.paused_at).where(Provider.paused_at.is_not(None)).subquery()
# Pausing a provider changes the latest moment, resuming one the count.
VERSIONS = select(
    Catalogue.version,
    select(func.count()).select_from(_paused).scalar_subquery(),
    select(func.max(_paused.c.paused_at)).scalar_subquery(),
    # Rows are only ever added. A count, unlike the newest id, also notices a row that is committed out of order.
    select(func.count()).select_from(IncidentUpdate).scalar_subquery(),
    select(func.count(Incident.published_at) + func.count(Incident.resolved_at)).scalar_subquery(),
)


class _VersionsRead(NamedTuple):
    """Versions as last read from the database, with the time of the read and this process's commit count before it."""

    row: tuple[object, ...]
    at: float
    commits: int


# The path and the theme; and the versions that every page depends on, the reading of measured figures last.
_Key = tuple[str, str]
_Versions = tuple[object, ...]


class CachedPage:
    """A page with its ETag, and its body in each encoding that was asked for so far."""

    def __init__(self, response: CapturedResponse) -> None:
        # The time of rendering is not a change, so it is left out of the ETag.
        digest = hashlib.blake2b(b"".join(response.pieces), digest_size=16).hexdigest()
        own = [pair for pair in response.headers if pair[0].lower() != "vary"]
        self._tag = f'"{digest}"'
        self._headers = [*own, ("ETag", f"W/{self._tag}"), VARY, REVALIDATE]
        self._bodies = {"": fill_times(response.pieces)}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
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
    def __init__(self, inner: "WSGIApplication", sessions: SessionLookup, app: Flask) -> None:
        super().__init__(inner, LRUCache(MAX_PAGES))
        self._sessions = sessions
        self._rules = app.url_map.bind("")
        self._is_public = lru_cache(MAX_PAGES)(self._matches_public_page)
        self._versions_read: _VersionsRead | None = None
        with app.app_context():
            self._database = str(db.engine.url)
            self._lock = read_lock(db.engine)
            self._read = reader(db.engine, VERSIONS)

    def key_of(self, environ: "WSGIEnvironment") -> _Key | None:
        if (
            environ["REQUEST_METHOD"] not in ("GET", "HEAD")
            or environ.get("QUERY_STRING")
            or "HTTP_HX_REQUEST" in environ
            or self._sessions.cookie_of(environ) is not None
        ):
            return None
        path = environ["PATH_INFO"]
        return (path, theme_of(environ)) if len(path) <= MAX_PATH_LENGTH and self._is_public(path) else None

    def _matches_public_page(self, path: str) -> bool:
        if not _PLAIN_PATH.fullmatch(path):
            return False
        try:
            rule, _values = self._rules.match(path, method="GET", return_rule=True)
        except (HTTPException, RequestRedirect):
            return False
        return rule.rule in PAGES

    def versions_of(self, _environ: "WSGIEnvironment", _key: _Key) -> _Versions | None:
        known = self._versions_read
        if known is None or known.commits != commit_count() or time.monotonic() - known.at >= VERSIONS_MAX_AGE_SECONDS:
            known = self._versions_read = self.read_versions()
        if known is None:
            return None
        now = utc_now()
        return (*known.row, int(now.timestamp()) // 60, delivery_times.read_at(self._database, now=now))

    def read_versions(self) -> _VersionsRead | None:
        # Counted before the read, so that a commit during the read causes another read.
        at, after = time.monotonic(), commit_count()
        with self._lock:
            rows = self._read({})
        return _VersionsRead(rows[0], at, after) if rows else None

    def make(self, environ: "WSGIEnvironment", key: _Key, versions: _Versions) -> "WSGIApplication":
        if environ["REQUEST_METHOD"] == "HEAD":
            return self.inner
        visitors = bare_environ(environ, cookies={THEME_COOKIE: key[1]}, public_url=self._sessions.public_url)
        response = CapturedResponse(self.inner, visitors)
        if not response.may_be_cached_for(VISITOR):
            return response
        page = CachedPage(response)
        # Without a reading, the figures were read for this page, if it has any.
        figures_at = versions[-1] or delivery_times.read_at(self._database, now=utc_now())
        self.store(key, (*versions[:-1], figures_at), page)
        return page
