"""Captured WSGI response: status, headers and body of a page, with placeholders where it shows the current time."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from panel.clock import utc_now
from panel.domain.formatting import STAMP_MARKS, STAMPS
from panel.security.request_identity import MADE_FOR

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]

# The length changes with the encoding and the time shown; the id belongs to one request.
_NOT_CAPTURED = frozenset({"content-length", "x-request-id"})
# Such a response shows something once, as a flash message, or says itself how long it lasts.
_NOT_CACHED = frozenset({"set-cookie", "cache-control"})

# Placeholders that a cached page has instead of times. They are random, so no text of a user can contain one.
_SECRET = secrets.token_hex(8)
_PLACEHOLDERS = {form: f"{_SECRET}:{form};" for form in STAMPS}
_PATTERN = re.compile(f"{_SECRET}:({'|'.join(STAMPS)});".encode())


def split_at_times(body: bytes) -> tuple[bytes, ...]:
    """The body in pieces: text, name of a time format, text, and so on."""
    return tuple(_PATTERN.split(body))


def fill_times(pieces: Sequence[bytes]) -> bytes:
    """The body with the current time at each placeholder."""
    now = utc_now()
    return _filled(pieces, {form: text(now) for form, text in STAMPS.items()})


def _filled(pieces: Sequence[bytes], texts: Mapping[str, str]) -> bytes:
    filled = {form.encode(): text.encode() for form, text in texts.items()}
    return b"".join(filled[piece] if place % 2 else piece for place, piece in enumerate(pieces))


class CapturedResponse:
    """The response of an application, collected instead of sent; itself an application that sends it."""

    def __init__(self, application: "WSGIApplication", environ: "WSGIEnvironment") -> None:
        self.status = ""
        self.headers: Headers = []
        environ[STAMP_MARKS] = _PLACEHOLDERS
        chunks = application(environ, self._start)
        try:
            self.pieces = split_at_times(b"".join(chunks))
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
        return _filled(self.pieces, _PLACEHOLDERS)

    def with_body(self, body: bytes) -> "CapturedResponse":
        """The same response with another body."""
        other = copy(self)
        other.pieces = split_at_times(body)
        return other

    def __call__(self, _environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        """Send the response, with the current time filled in."""
        return send(self.status, self.headers, fill_times(self.pieces), start_response)

    def _start(self, status: str, headers: Headers, _exc_info: Any = None, /) -> Callable[[bytes], object]:
        self.status, self.headers = status, [pair for pair in headers if pair[0].lower() not in _NOT_CAPTURED]
        return _refuse_write


def send(status: str, headers: Headers, body: bytes, start_response: "StartResponse") -> list[bytes]:
    """Send this body with its Content-Length, as a list: what else is iterable counts as a stream."""
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return [body]


def _refuse_write(_chunk: bytes) -> None:
    raise RuntimeError("a response written through start_response's callable can't be captured")
