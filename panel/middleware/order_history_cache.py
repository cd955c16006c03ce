"""The order history, drawn once and given again before Flask is asked, for as long as nothing on it has changed.

A small WSGI layer for GETs of `/orders`. Whose page it is and what it depends on is read from the database each
time, as for the live region; the one thing that moves by itself, the time at which the page was drawn, is left
open in the page that is kept and filled in with each answer. Flask is asked with the session and theme cookies alone,
written again from their values, and what it answers is kept only when it says that it was made for that very person.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from flask import Flask

from panel.middleware.captured_response import CapturedResponse, Headers, TimePlaceholders, fill_times
from panel.middleware.session_lookup import SessionLookup, address_of
from panel.security.request_identity import MADE_FOR, THEME_COOKIE, cookies_of, theme_of
from panel.services.accounts.sessions import SIGNED_IN, SignedIn
from panel.services.page_version import page_etag

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/orders"
# A page is some 35 kB.
MAX_PAGES = 300
LONGEST_ADDRESS = 4096


@dataclass(frozen=True, slots=True)
class _Key:
    """What a page depends on: the session's content, the colors, and the hash of what the database says."""

    session: str
    theme: str
    shown: str


@dataclass(frozen=True, slots=True)
class _Page:
    """An answer, its body in pieces between which it says its time."""

    headers: Headers
    pieces: tuple[bytes, ...]


class OrderHistoryCache:
    """The layer: called as a WSGI application, around the one given."""

    def __init__(self, inner: "WSGIApplication", app: Flask) -> None:
        self._inner = inner
        self._who = SessionLookup(app)
        self._cookie_name: str = app.config["SESSION_COOKIE_NAME"]
        self._pages: OrderedDict[_Key, _Page] = OrderedDict()
        self._lock = Lock()
        self._stamps = TimePlaceholders()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        person = self._person(environ)
        if person is None:
            return self._inner(environ, start_response)
        session, theme = cookies_of(environ)[self._cookie_name], theme_of(environ)
        key = _Key(session, theme, page_etag(person.page_versions, address=address_of(environ)))
        page = self._pages.get(key)
        if page is not None:
            environ[MADE_FOR] = person.token
            return _given(page, start_response)
        own = f"{self._cookie_name}={session}"
        cookies = f"{own}; {THEME_COOKIE}={theme}" if theme else own
        environ.update({"HTTP_COOKIE": cookies, SIGNED_IN: person})
        return self._drawn(key, person, environ, start_response)

    def _person(self, environ: "WSGIEnvironment") -> SignedIn | None:
        """Whose history this request asks for. None: not ours to answer."""
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "GET" or "HTTP_HX_REQUEST" in environ:
            return None
        return self._who.signed_in(environ) if len(address_of(environ)) <= LONGEST_ADDRESS else None

    def _drawn(
        self, key: _Key, person: SignedIn, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        answer = CapturedResponse()
        self._stamps.ask_for(environ)
        body = answer.body_of(self._inner, environ)
        page = _Page(answer.headers, self._stamps.split(body))
        is_persons = environ.get(MADE_FOR) == person.token
        # An answer that sets a cookie says something once, as a message does; it is the next one that lasts.
        if answer.status.startswith("200 ") and is_persons and not answer.has("set-cookie"):
            with self._lock:
                self._pages[key] = page
                if len(self._pages) > MAX_PAGES:
                    self._pages.popitem(last=False)
        return _given(page, start_response, status=answer.status)


def _given(page: _Page, start_response: "StartResponse", *, status: str = "200 OK") -> Iterable[bytes]:
    body = fill_times(page.pieces)
    start_response(status, [*page.headers, ("Content-Length", str(len(body)))])
    return (body,)
