"""Captured WSGI response: a page as Flask renders it for one session, or for any visitor, to be sent again.

Nothing that one client sent is in it. Flask gets a request with the session and the theme as its only cookies; of the
headers only those stay that request limits and logs read, and host and scheme are the site's own. Where the page shows
the current time, the captured response has placeholders.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from panel.clock import utc_now
from panel.domain.formatting import STAMP_MARKS, STAMPS
from panel.logs import REQUEST_ID
from panel.security.request_identity import MADE_FOR

Headers = list[tuple[str, str]]
NO_HEADERS: Mapping[str, str] = {}

# The id of the request; where it came from, and through which proxies.
PASSED_ON = frozenset({REQUEST_ID, "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"})
# The length changes with the encoding and the time shown; the id belongs to one request.
_NOT_CAPTURED = frozenset({"content-length", "x-request-id"})
# Such a response shows something once, as a flash message, or says itself how long it lasts.
_NOT_CACHED = frozenset({"set-cookie", "cache-control"})

# In a cached page these stand around the name of a time's format. Random, so no text of a user can contain one.
# Of characters that pages don't have: a page of 46 kB is split at them in a tenth of the time that digits take.
_MARK = "".join(secrets.choice("\x01\x02\x03\x04\x05\x06\x0e\x0f") for _ in range(24))
_PLACEHOLDERS = {form: f"{_MARK}{form}{_MARK}" for form in STAMPS}


def bare_environ(
    environ: WSGIEnvironment, *, cookies: Mapping[str, str], public_url: str, **more: object
) -> WSGIEnvironment:
    """The environ of a request for the same address with these cookies, where they have a value, and `more`."""
    public = urlsplit(public_url)
    bare = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("HTTP_", "CONTENT_", "panel.", "flask.")) or name in PASSED_ON
    }
    given = "; ".join(f"{name}={value}" for name, value in cookies.items() if value)
    return bare | {"HTTP_HOST": public.netloc, "wsgi.url_scheme": public.scheme, "HTTP_COOKIE": given, **more}


def fill_times(pieces: Sequence[bytes]) -> bytes:
    """The body in these pieces (text, name of a time's format, text, and so on), with the current time."""
    times = _times(utc_now().replace(microsecond=0))
    return b"".join([times[piece] if place % 2 else piece for place, piece in enumerate(pieces)])


@lru_cache(1)
def _times(second: datetime) -> dict[bytes, bytes]:
    """This second in each format, since many pages are sent in one."""
    return {form.encode(): text(second).encode() for form, text in STAMPS.items()}


class CapturedResponse:
    """The response of an application, collected instead of sent; itself an application that sends it."""

    def __init__(self, application: WSGIApplication, environ: WSGIEnvironment) -> None:
        self.status, self.headers, self.pieces = "", Headers(), list[bytes]()
        environ[STAMP_MARKS] = _PLACEHOLDERS
        chunks = application(environ, self._start)
        try:
            self.pieces = _split(b"".join([*self.pieces, *chunks]))
        finally:
            if (close := getattr(chunks, "close", None)) is not None:
                close()
        self._made_for = environ.get(MADE_FOR)

    def may_be_cached_for(self, token: str) -> bool:
        """Whether Flask marked it as made for this session token (or VISITOR), and it may be sent again."""
        is_lasting = _NOT_CACHED.isdisjoint(name.lower() for name, _value in self.headers)
        return self.status == "200 OK" and self._made_for == token and is_lasting

    @property
    def body(self) -> bytes:
        """The body, with placeholders."""
        return _MARK.encode().join(self.pieces)

    def with_body(self, body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> "CapturedResponse":
        """The same response with another body, and with these of its headers changed."""
        other = copy(self)
        other.pieces = _split(body)
        if headers:
            other.headers = [(name, headers.get(name, value)) for name, value in self.headers]
        return other

    def __call__(self, _environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Send the response, with the current time filled in."""
        return send(self.status, self.headers, fill_times(self.pieces), start_response)

    def _start(self, status: str, headers: Headers, _exc_info: Any = None, /) -> Callable[[bytes], object]:
        self.status = status
        self.headers = [pair for pair in headers if pair[0].lower() not in _NOT_CAPTURED]
        return self.pieces.append


def _split(body: bytes) -> list[bytes]:
    return body.split(_MARK.encode())


def send(status: str, headers: Headers, body: bytes, start_response: StartResponse) -> list[bytes]:
    """Send this body with its Content-Length, as a list: what else is iterable counts as a stream."""
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return [body]
