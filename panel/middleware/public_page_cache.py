"""Public pages as visitors get them: drawn once by Flask, kept with an ETag and ready-made compressions, given again.

A small WSGI layer for GETs without a session and without a query. It asks the database for the versions of whatever
these pages show, and gives a kept page only while all of these are as they were before it was drawn:

- the catalogue's version (tools and terms), which providers are paused, and what was said of incidents;
- the reading that measured figures come from (`services/measures`, a minute at the most);
- the minute, for all else that moves with time, such as the state of the platform.

What the database said holds for VERSIONS_MAX_AGE_SECONDS, unless this process writes something sooner: no visitor is
shown what is older than that. The texts of `content/` and the code are those of the process. A page is kept for each
choice of colors. What asks for a session, sets a cookie, or is not listed in PAGES is drawn each time;
so is what Flask's side did not mark as made for a visitor. See `panel/middleware/visitor_request`.
"""

import gzip
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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
from panel.middleware.captured_response import CapturedResponse, Headers, TimePlaceholders, fill_times
from panel.middleware.visitor_request import is_plain_path, visitor_environ
from panel.models import Catalogue, Incident, IncidentUpdate, Provider
from panel.security.request_identity import MADE_FOR, VISITOR, cookies_of, theme_of
from panel.services import delivery_times

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The public pages that are one and the same for all visitors, by the rules of their addresses.
PAGES = frozenset(
    {
        "/",
        "/acceptable-use",
        "/accessibility",
        "/api",
        "/faq",
        "/getting-started",
        "/how-we-work",
        "/order-statuses",
        "/order-statuses/<slug>",
        "/platform-status",
        "/platform-status/incidents/<slug>",
        "/privacy",
        "/reliability",
        "/tools",
        "/tools/<slug>",
    }
)
MAX_PAGES = 2_000
# Each question hands the interpreter from thread to thread: one for every page halves what a process answers.
VERSIONS_MAX_AGE_SECONDS = 0.05
LONGEST_ACCEPT_ENCODING = 256

BROTLI_QUALITY = 9
OF_ONE_ANSWER = frozenset({"vary", "x-request-id"})
VARY = ("Vary", "Accept-Encoding, Cookie")
ASK_AGAIN = ("Cache-Control", "no-cache")

_paused = select(Provider.paused_at).where(Provider.paused_at.is_not(None)).subquery()
# A provider that is paused later than all others makes the latest moment, one that is resumed a lower count.
VERSIONS = select(
    Catalogue.version,
    select(func.count()).select_from(_paused).scalar_subquery(),
    select(func.max(_paused.c.paused_at)).scalar_subquery(),
    # Both are only ever added to; a count tells also of a line that commits after one with a higher number.
    select(func.count()).select_from(IncidentUpdate).scalar_subquery(),
    select(func.count(Incident.published_at) + func.count(Incident.resolved_at)).scalar_subquery(),
)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the database said of the versions, since when that holds, and how many commits of ours it follows."""

    row: tuple[object, ...]
    at: float
    commits: int


@dataclass(slots=True)
class CachedPage:
    """One page as it is given: under which versions it was drawn, and its body in each encoding asked for so far."""

    versions: tuple[object, ...]
    headers: Headers
    tag: str
    bodies: dict[str, bytes] = field(default_factory=dict)

    def body(self, encoding: str) -> bytes:
        found = self.bodies.get(encoding)
        if found is None:
            found = self.bodies[encoding] = _COMPRESS[encoding](self.bodies[""])
        return found


class PublicPageCache:
    """The layer: called as a WSGI application, around the one given."""

    def __init__(self, inner: "WSGIApplication", app: Flask) -> None:
        self._inner = inner
        self._rules = app.url_map.bind("")
        self._session_cookie: str = app.config["SESSION_COOKIE_NAME"]
        self._public_url: str = app.config["PANEL"].public_url
        self._pages: OrderedDict[tuple[str, str], CachedPage] = OrderedDict()
        self._lock = threading.Lock()
        # When a page was drawn is no news, and no part of what its ETag stands for.
        self._stamps = TimePlaceholders()
        self._said: _Said | None = None
        with app.app_context():
            self._database = str(db.engine.url)
            self._turn = read_lock(db.engine)
            self._read = reader(db.engine, VERSIONS)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if (
            environ["REQUEST_METHOD"] not in ("GET", "HEAD")
            or environ.get("QUERY_STRING")
            or "HTTP_HX_REQUEST" in environ
            or self._session_cookie in cookies_of(environ)
        ):
            return self._inner(environ, start_response)
        page = (environ["PATH_INFO"], theme_of(environ))
        kept = self._pages.get(page)
        if kept is None and not self._is_public(page[0]):
            return self._inner(environ, start_response)
        versions = self._versions()
        if versions is not None and kept is not None and kept.versions == versions:
            return _given(kept, environ, start_response)
        if versions is None or environ["REQUEST_METHOD"] == "HEAD":
            return self._inner(environ, start_response)
        return self._drawn(page, versions, environ, start_response)

    def _is_public(self, path: str) -> bool:
        if not is_plain_path(path):
            return False
        try:
            rule, _values = self._rules.match(path, method="GET", return_rule=True)
        except (HTTPException, RequestRedirect):
            return False
        return rule.rule in PAGES

    def _versions(self) -> tuple[object, ...] | None:
        """What every kept page depends on, as it is now; None where the database can't be asked."""
        said = self._said
        if said is None or said.commits != commit_count() or time.monotonic() - said.at >= VERSIONS_MAX_AGE_SECONDS:
            said = self._said = self._asked()
        return (*said.row, int(utc_now().timestamp()) // 60, self._read_at()) if said is not None else None

    def _asked(self) -> _Said | None:
        # Noted before the question: what is written meanwhile is asked for again.
        at, after = time.monotonic(), commit_count()
        with self._turn:
            rows = self._read({})
        return _Said(rows[0], at, after) if rows else None

    def _read_at(self) -> datetime | None:
        return delivery_times.read_at(self._database, now=utc_now())

    def _drawn(
        self,
        page: tuple[str, str],
        versions: tuple[object, ...],
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
    ) -> Iterable[bytes]:
        """Flask's own answer, kept from now on where it is the page that everybody gets."""
        answer, asked = CapturedResponse(), visitor_environ(environ, public_url=self._public_url)
        self._stamps.ask_for(asked)
        pieces = self._stamps.split(answer.body_of(self._inner, asked))
        is_visitors = asked.get(MADE_FOR) == VISITOR
        if answer.status != "200 OK" or not is_visitors or answer.has("set-cookie", "cache-control"):
            whole = fill_times(pieces)
            start_response(answer.status, [*answer.headers, ("Content-Length", str(len(whole)))])
            return (whole,)
        if versions[-1] is None:
            # The figures were read for this page, if it has any.
            versions = (*versions[:-1], self._read_at())
        kept = _kept(pieces, answer.headers, versions=versions)
        with self._lock:
            self._pages[page] = kept
            if len(self._pages) > MAX_PAGES:
                self._pages.popitem(last=False)
        return _given(kept, environ, start_response)


def encoding_for(accepted: str) -> str:
    """The best encoding that an Accept-Encoding header takes: `br`, `gzip`, or empty for none."""
    return _encoding_for(accepted) if len(accepted) <= LONGEST_ACCEPT_ENCODING else ""


@lru_cache(maxsize=1024)
def _encoding_for(accepted: str) -> str:
    taken = set()
    for part in accepted.lower().split(","):
        name, _semicolon, parameters = part.partition(";")
        if parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            taken.add(name.strip())
    return next((encoding for encoding in ("br", "gzip") if encoding in taken), "")


def _kept(pieces: Sequence[bytes], given: Headers, *, versions: tuple[object, ...]) -> CachedPage:
    digest = hashlib.blake2b(b"".join(pieces), digest_size=16).hexdigest()
    own = [pair for pair in given if pair[0].lower() not in OF_ONE_ANSWER]
    return CachedPage(
        versions, [*own, ("ETag", f'W/"{digest}"'), VARY, ASK_AGAIN], f'"{digest}"', {"": fill_times(pieces)}
    )


def _given(kept: CachedPage, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    if kept.tag in environ.get("HTTP_IF_NONE_MATCH", ""):
        start_response("304 Not Modified", kept.headers[-3:])
        return ()
    encoding = encoding_for(environ.get("HTTP_ACCEPT_ENCODING", ""))
    body = kept.body(encoding)
    headers = [*kept.headers, ("Content-Length", str(len(body)))]
    if encoding:
        headers.append(("Content-Encoding", encoding))
    start_response("200 OK", headers)
    return (body,) if environ["REQUEST_METHOD"] == "GET" else ()


_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, mode=brotli.MODE_TEXT, quality=BROTLI_QUALITY),
    "gzip": lambda body: gzip.compress(body, mtime=0),
}
