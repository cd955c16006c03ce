"""The answer to "anything new?" before Flask is asked: 304 after one indexed read, when nothing has changed.

A small WSGI layer for GETs of live regions that carry the hash of what is shown. It proves who asks by the
session cookie and the database, each time; for anything but a plain "nothing new" it steps aside.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature, URLSafeTimedSerializer

from panel.clock import utc_now
from panel.db import db
from panel.quick_reads import reader, turn
from panel.services.shown import PRESENT, Present, shown_hash, since
from panel.services.sign_ins import TOKEN_KEY, token_hash

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The live regions: that of the history and those of single orders.
PATH_BEGINS, PATH_ENDS = "/orders/", "/live"
COOKIES_KEPT = 10_000
LONGEST_COOKIE = 4096


class Unchanged:
    """The layer: called as a WSGI application, around the one given."""

    def __init__(self, inner: "WSGIApplication", app: Flask) -> None:
        serializer = cast(SecureCookieSessionInterface, app.session_interface).get_signing_serializer(app)
        if serializer is None:
            raise ValueError("an app without a secret key has no sessions")
        self._inner = inner
        self._cookie_begins = f"{app.config['SESSION_COOKIE_NAME']}="
        self._cookies = _Cookies(serializer)
        with app.app_context():
            self._turn = turn(db.engine)
            self._read = reader(db.engine, PRESENT)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        tag = environ.get("HTTP_HX_PTAG")
        if tag and self._is_unchanged(tag, environ):
            start_response("304 Not Modified", [("HX-PTag", tag), ("Cache-Control", "no-store"), ("Vary", "Cookie")])
            return ()
        return self._inner(environ, start_response)

    def _is_unchanged(self, tag: str, environ: "WSGIEnvironment") -> bool:
        path: str = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] != "GET" or not (path.startswith(PATH_BEGINS) and path.endswith(PATH_ENDS)):
            return False
        cookie = self._session_cookie(environ.get("HTTP_COOKIE", ""))
        token = self._cookies.token_hash(cookie) if cookie else None
        if not token:
            return False
        with self._turn:
            rows = self._read({"token_hash": token, "since": since(utc_now())})
        if not rows:
            return False
        query = environ.get("QUERY_STRING", "")
        return tag == shown_hash(Present(*rows[0]), address=f"{path}?{query}" if query else path)

    def _session_cookie(self, header: str) -> str | None:
        """The value of the session cookie. Two of them are for Flask to judge."""
        found = [part for part in header.split("; ") if part.startswith(self._cookie_begins)]
        return found[0].removeprefix(self._cookie_begins) if len(found) == 1 else None


class _Cookies:
    """Hashes of the tokens in session cookies. A signature, once found right, stays right: it is checked once."""

    def __init__(self, serializer: URLSafeTimedSerializer) -> None:
        self._serializer = serializer
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def token_hash(self, cookie: str) -> str | None:
        known = self._known.get(cookie)
        return known if known is not None else self._checked(cookie)

    def _checked(self, cookie: str) -> str | None:
        if len(cookie) > LONGEST_COOKIE:
            return None
        try:
            token = self._serializer.loads(cookie).get(TOKEN_KEY)
        except BadSignature:
            return None
        if not isinstance(token, str):
            return None
        found = token_hash(token)
        with self._lock:
            self._known[cookie] = found
            if len(self._known) > COOKIES_KEPT:
                self._known.popitem(last=False)
        return found
