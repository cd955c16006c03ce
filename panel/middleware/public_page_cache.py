"""Response cache for public pages: one per address and theme for all visitors, with ETag and compressed bodies.

WSGI middleware for GETs without a session and without a query. A cached page is reused only while all that these pages
show is as it was before the page was rendered:

- the catalogue's version (tools and terms), which providers are paused, and the updates on incidents;
- the reading that measured figures come from (`services/delivery_times`, at most a minute old);
- the minute, for all else that changes with time, such as the platform status.

The versions are read again after VERSIONS_MAX_AGE_SECONDS, or as soon as this process commits something. Only pages of
PAGES are cached, and only responses that Flask marked as made for a visitor: see `panel/middleware/visitor_request`.
"""

import gzip
import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import brotli
from flask import Flask
from sqlalchemy import func, select
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from panel.clock import utc_now
from panel.db import commit_count, db
from panel.db.read_only import read_lock, reader
from panel.middleware.captured_response import CapturedResponse, Headers, TimePlaceholders, fill_times, send
from panel.middleware.response_cache import ResponseCache
from panel.middleware.visitor_request import is_plain_path, visitor_environ
from panel.models import Catalogue, Incident, IncidentUpdate, Provider
from panel.security.request_identity import VISITOR, cookies_of, theme_of
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
    }
)
MAX_PAGES = 2_000
# Each read hands the interpreter's lock to another thread: one per request would halve the throughput.
VERSIONS_MAX_AGE_SECONDS = 0.05
MAX_PATH_LENGTH = 250
MAX_ACCEPT_ENCODING_LENGTH = 256

BROTLI_QUALITY = 9
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


@dataclass(frozen=True, slots=True)
class _VersionsRead:
    """Versions as last read from the database, with the time of the read and this process's commit count before it."""

    row: tuple[object, ...]
    at: float
    commits: int


# The path and the theme; and the versions that every page depends on.
_Key = tuple[str, str]
_Versions = tuple[object, ...]


@dataclass(slots=True)
class CachedPage:
    """A page as it is sent, and its body in each encoding that was asked for so far."""

    headers: Headers
    tag: str
    bodies: dict[str, bytes] = field(default_factory=dict)

    def body(self, encoding: str) -> bytes:
        found = self.bodies.get(encoding)
        if found is None:
            found = self.bodies[encoding] = _COMPRESS[encoding](self.bodies[""])
        return found


class PublicPageCache:
    def __init__(self, inner: "WSGIApplication", app: Flask) -> None:
        self._inner = inner
        self._rules = app.url_map.bind("")
        self._is_public = lru_cache(MAX_PAGES)(self._matches_public_page)
        self._session_cookie: str = app.config["SESSION_COOKIE_NAME"]
        self._public_url: str = app.config["PANEL"].public_url
        # The time of rendering is not a change, so it is left out of the ETag.
        self._times = TimePlaceholders()
        self._versions_read: _VersionsRead | None = None
        self.cache: ResponseCache[_Key, _Versions, CachedPage] = ResponseCache(
            self._key_of, self._versions_of, max_entries=MAX_PAGES
        )
        with app.app_context():
            self._database = str(db.engine.url)
            self._lock = read_lock(db.engine)
            self._read = reader(db.engine, VERSIONS)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        found = self.cache.look_up(environ)
        if found is not None and found.cached is not None:
            return _send(found.cached, environ, start_response)
        if found is None or environ["REQUEST_METHOD"] == "HEAD":
            return self._inner(environ, start_response)
        visitors = visitor_environ(environ, public_url=self._public_url)
        response = CapturedResponse(self._inner, visitors, self._times)
        if not response.may_be_cached_for(VISITOR) or response.has("cache-control"):
            return response.send(start_response)
        page, versions = _cached_page(response), found.versions
        if versions[-1] is None:
            # The figures were read for this page, if it has any.
            versions = (*versions[:-1], delivery_times.read_at(self._database, now=utc_now()))
        self.cache.store(found.key, versions, page)
        return _send(page, environ, start_response)

    def _key_of(self, environ: "WSGIEnvironment") -> _Key | None:
        if (
            environ["REQUEST_METHOD"] not in ("GET", "HEAD")
            or environ.get("QUERY_STRING")
            or "HTTP_HX_REQUEST" in environ
            or self._session_cookie in cookies_of(environ)
        ):
            return None
        path = environ["PATH_INFO"]
        return (path, theme_of(environ)) if len(path) <= MAX_PATH_LENGTH and self._is_public(path) else None

    def _matches_public_page(self, path: str) -> bool:
        if not is_plain_path(path):
            return False
        try:
            rule, _values = self._rules.match(path, method="GET", return_rule=True)
        except (HTTPException, RequestRedirect):
            return False
        return rule.rule in PAGES

    def _versions_of(self, _environ: "WSGIEnvironment", _key: _Key) -> _Versions | None:
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


def encoding_for(accepted: str) -> str:
    """Content negotiation: the best encoding that an Accept-Encoding header allows, `br`, `gzip` or empty."""
    return _encoding_for(accepted) if len(accepted) <= MAX_ACCEPT_ENCODING_LENGTH else ""


@lru_cache(maxsize=1024)
def _encoding_for(accepted: str) -> str:
    taken = set()
    for part in accepted.lower().split(","):
        name, _semicolon, parameters = part.partition(";")
        if parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            taken.add(name.strip())
    return next((encoding for encoding in ("br", "gzip") if encoding in taken), "")


def _cached_page(response: CapturedResponse) -> CachedPage:
    digest = hashlib.blake2b(b"".join(response.pieces), digest_size=16).hexdigest()
    own = [pair for pair in response.headers if pair[0].lower() != "vary"]
    headers = [*own, ("ETag", f'W/"{digest}"'), VARY, REVALIDATE]
    return CachedPage(headers, f'"{digest}"', {"": fill_times(response.pieces)})


def _send(page: CachedPage, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    if page.tag in environ.get("HTTP_IF_NONE_MATCH", ""):
        start_response("304 Not Modified", page.headers[-3:])
        return ()
    encoding = encoding_for(environ.get("HTTP_ACCEPT_ENCODING", ""))
    headers = [*page.headers, ("Content-Encoding", encoding)] if encoding else page.headers
    body = send("200 OK", headers, page.body(encoding), start_response)
    return body if environ["REQUEST_METHOD"] == "GET" else ()


_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, mode=brotli.MODE_TEXT, quality=BROTLI_QUALITY),
    "gzip": lambda body: gzip.compress(body, mtime=0),
}
