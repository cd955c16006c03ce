"""WSGI middleware: bulkhead for slow request bodies and slow readers of streamed responses.

The web server hands a request to a Python thread as soon as its headers are there, and its `read` has no deadline. So
a few threads may wait for bodies, or for people who read a long answer slowly; the others are always free for the rest.
`connections.py` ends what waits too long, which makes `read` return here with less than was announced.
"""

import io
import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from panel.security import HEADERS, network_of
from panel.security.body_limits import MAX_BODY_BYTES, max_bytes

BUSY = (
    "503 Service Unavailable",
    "Too many slow requests are being received at once. Nothing was recorded. Try again in a few seconds.",
)
TOO_SLOW = ("408 Request Timeout", "The request did not arrive in time. Nothing was recorded.")
TRY_AGAIN_SECONDS = "2"
# A body that is there already is read in no time, but on a busy machine its thread may pause while it holds a slot. So
# a few threads wait a moment for a slot before the request is refused.
WAIT_SECONDS = 0.1
MAX_WAITING = 3


@dataclass
class Slots:
    """Limits on threads that wait for clients: in total and per network (None: no limit per network)."""

    most: int
    most_a_network: int | None
    _taken: Counter[str] = field(default_factory=Counter)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _waiting: int = 0

    def take(self, network: str) -> bool:
        """Take a slot, waiting a moment if none is free; whether there was one."""
        with self._changed:
            if not self._is_free(network) and not self._wait(network):
                return False
            self._taken[network] += 1
            return True

    def give_back(self, network: str) -> None:
        with self._changed:
            self._taken[network] -= 1
            if not self._taken[network]:
                del self._taken[network]
            self._changed.notify_all()

    def _is_free(self, network: str) -> bool:
        has_share = self.most_a_network is None or self._taken[network] < self.most_a_network
        return has_share and self._taken.total() < self.most

    def _wait(self, network: str) -> bool:
        if self._waiting >= MAX_WAITING:
            return False
        self._waiting += 1
        try:
            return self._changed.wait_for(lambda: self._is_free(network), timeout=WAIT_SECONDS)
        finally:
            self._waiting -= 1


def with_bulkhead(inner: WSGIApplication, slots: Slots, uploads: Slots) -> WSGIApplication:
    """Wrap the application: it gets complete bodies, and multi-chunk streams take a slot too.

    `uploads`: how many requests with files may be in memory together, until they are answered.
    """

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        network = network_of(environ.get("REMOTE_ADDR", ""))
        if not _is_large(environ):
            return received(environ, start_response)
        if not uploads.take(network):
            return _refuse(BUSY, environ, start_response)
        try:
            return received(environ, start_response)
        finally:
            uploads.give_back(network)

    def received(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        network = network_of(environ.get("REMOTE_ADDR", ""))
        if _has_body(environ):
            if not slots.take(network):
                return _refuse(BUSY, environ, start_response)
            try:
                is_whole = _receive(environ)
            finally:
                slots.give_back(network)
            if not is_whole:
                return _refuse(TOO_SLOW, environ, start_response)
        answer = inner(environ, start_response)
        # Cached pages are lists and are returned as they are, which is fastest.
        return answer if isinstance(answer, list) else _streamed(answer, slots, network, environ, start_response)

    return application


def _has_body(environ: WSGIEnvironment) -> bool:
    return environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ


def _is_large(environ: WSGIEnvironment) -> bool:
    length = _announced(environ)
    return length is not None and MAX_BODY_BYTES < length <= _limit(environ)


def _announced(environ: WSGIEnvironment) -> int | None:
    text = environ.get("CONTENT_LENGTH", "")
    return int(text) if text.isdecimal() else None


def _limit(environ: WSGIEnvironment) -> int:
    return max_bytes(environ.get("PATH_INFO", ""), environ.get("CONTENT_TYPE", ""))


def _receive(environ: WSGIEnvironment) -> bool:
    """Read the whole body, at most one byte beyond the limit. Whether its length matched the header."""
    length = _announced(environ)
    if length is not None and length > _limit(environ):
        environ["wsgi.input"] = io.BytesIO()  # Rejected later because of its length.
        return True
    try:
        body = environ["wsgi.input"].read(length if length is not None else MAX_BODY_BYTES + 1)
    except OSError:
        return False
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return length is None or len(body) == length


def _streamed(
    answer: Iterable[bytes], slots: Slots, network: str, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """A single chunk passes unchanged. With more chunks the thread waits for the reader, which needs a slot."""
    pieces = iter(answer)
    first, second = next(pieces, b""), next(pieces, None)
    if second is None:
        _close(answer)
        return [first]
    if not slots.take(network):
        _close(answer)
        return _refuse(BUSY, environ, start_response)
    return StreamedResponse(chain((first, second), pieces), answer, slots, network)


class StreamedResponse:
    """Chunks of a streamed response; releases its slot on close."""

    def __init__(self, pieces: Iterator[bytes], answer: Iterable[bytes], slots: Slots, network: str) -> None:
        self._pieces, self._answer, self._slots, self._network = pieces, answer, slots, network
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._slots.give_back(self._network)
            _close(self._answer)


def _close(answer: Iterable[bytes]) -> None:
    if (close := getattr(answer, "close", None)) is not None:
        close()


def _refuse(what: tuple[str, str], environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    status, words = what
    is_api = environ.get("PATH_INFO", "").startswith("/api/")
    body = json.dumps({"error": words}).encode() if is_api else f"{words}\n".encode()
    kind = "application/json" if is_api else "text/plain; charset=utf-8"
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    headers += [("Connection", "close"), ("Retry-After", TRY_AGAIN_SECONDS), *HEADERS]
    start_response(status, headers)
    return [body]
