"""An answer of the site taken down by a layer before Flask, open where it says when it was drawn."""

import re
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from panel.clock import utc_now
from panel.domain.formatting import STAMP_MARKS, STAMPS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]


class TimePlaceholders:
    """The marks that a page has instead of its times, drawn at random: nothing anybody typed can be one of them."""

    def __init__(self) -> None:
        secret = secrets.token_hex(8)
        self._marks = {form: f"{secret}:{form};" for form in STAMPS}
        self._mark = re.compile(f"{secret}:({'|'.join(STAMPS)});".encode())

    def ask_for(self, environ: "WSGIEnvironment") -> None:
        """Let the page that answers this request say marks instead of times."""
        environ[STAMP_MARKS] = self._marks

    def split(self, body: bytes) -> tuple[bytes, ...]:
        """The body in pieces: text, the form of a time, text, and so on."""
        return tuple(self._mark.split(body))


def fill_times(pieces: Sequence[bytes]) -> bytes:
    """The body with the current time wherever it says one."""
    now = utc_now()
    stamps = {form.encode(): say(now).encode() for form, say in STAMPS.items()}
    return b"".join(stamps[piece] if place % 2 else piece for place, piece in enumerate(pieces))


class CapturedResponse:
    """Takes an application's answer down instead of sending it; its length is left to whoever sends it."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: Headers = []

    def body_of(self, application: "WSGIApplication", environ: "WSGIEnvironment") -> bytes:
        """Ask the application, and close what it gives."""
        pieces = application(environ, self._start)
        try:
            return b"".join(pieces)
        finally:
            if (close := getattr(pieces, "close", None)) is not None:
                close()

    def has(self, *names: str) -> bool:
        """Whether it has any of these headers, named in lower case."""
        return any(name.lower() in names for name, _value in self.headers)

    def _start(self, status: str, headers: Headers, _exc_info: Any = None, /) -> Callable[[bytes], object]:
        self.status, self.headers = status, [pair for pair in headers if pair[0].lower() != "content-length"]
        return _no_writing


def _no_writing(_piece: bytes) -> None:
    raise RuntimeError("an application that writes its body before it returns is not kept")
