"""The order history, drawn once and given again before Flask is asked, for as long as nothing on it has changed.

A small WSGI layer for GETs of `/orders`. Whose page it is and what it depends on is read from the database each
time, as for the live region; the one thing that moves by itself, the time at which the page was drawn, is left
open in the page that is kept and filled in with each answer.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from flask import Flask

from panel.drawn import Answer, Headers, Stamps, stamped
from panel.services.shown import shown_hash
from panel.services.sign_ins import SIGNED_IN
from panel.who_asks import WhoAsks, address_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/orders"
# A page is some 35 kB.
PAGES_KEPT = 300
LONGEST_KEY = 8192


@dataclass(frozen=True, slots=True)
class _Page:
    """An answer, its body in pieces between which it says its time."""

    headers: Headers
    pieces: tuple[bytes, ...]


class KeptHistory:
    """The layer: called as a WSGI application, around the one given."""

    def __init__(self, inner: "WSGIApplication", app: Flask) -> None:
        self._inner = inner
        self._who = WhoAsks(app)
        self._pages: OrderedDict[tuple[str, str], _Page] = OrderedDict()
        self._lock = Lock()
        self._stamps = Stamps()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        key = self._key(environ)
        if key is None:
            return self._inner(environ, start_response)
        page = self._pages.get(key)
        return self._drawn(key, environ, start_response) if page is None else _given(page, start_response)

    def _key(self, environ: "WSGIEnvironment") -> tuple[str, str] | None:
        """What the page depends on: all that was sent in cookies, and what the database says. None: not ours."""
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "GET":
            return None
        cookies, address = environ.get("HTTP_COOKIE", ""), address_of(environ)
        if "HTTP_HX_REQUEST" in environ or len(cookies) + len(address) > LONGEST_KEY:
            return None
        person = self._who.signed_in(environ)
        if person is None:
            return None
        environ[SIGNED_IN] = person
        return cookies, shown_hash(person.present, address=address)

    def _drawn(
        self, key: tuple[str, str], environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        answer = Answer()
        self._stamps.ask_for(environ)
        body = answer.body_of(self._inner, environ)
        page = _Page(answer.headers, self._stamps.split(body))
        # An answer that sets a cookie says something once, as a message does; it is the next one that lasts.
        if answer.status.startswith("200 ") and not answer.has("set-cookie"):
            with self._lock:
                self._pages[key] = page
                if len(self._pages) > PAGES_KEPT:
                    self._pages.popitem(last=False)
        return _given(page, start_response, status=answer.status)


def _given(page: _Page, start_response: "StartResponse", *, status: str = "200 OK") -> Iterable[bytes]:
    body = stamped(page.pieces)
    start_response(status, [*page.headers, ("Content-Length", str(len(body)))])
    return (body,)
