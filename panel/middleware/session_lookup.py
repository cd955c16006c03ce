"""Who asks, told without Flask: the session cookie's signature, then one indexed read of what pages depend on."""

import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, cast

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature, URLSafeTimedSerializer

from panel.clock import utc_now
from panel.db import db
from panel.db.read_only import Reader, read_lock, reader
from panel.security.request_identity import cookies_of
from panel.services.accounts.sessions import FIND, TOKEN_KEY, PageVersions, SignedIn, as_read, moments, token_hash
from panel.services.page_version import PAGE_VERSIONS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

COOKIES_KEPT = 10_000
LONGEST_COOKIE = 4096
_OUR_COOKIE = re.compile(r"[A-Za-z0-9_.-]+")


class SessionLookup:
    """What the layers before Flask know of a request: whose it is, and which versions that person's pages have."""

    def __init__(self, app: Flask) -> None:
        serializer = cast(SecureCookieSessionInterface, app.session_interface).get_signing_serializer(app)
        if serializer is None:
            raise ValueError("an app without a secret key has no sessions")
        self._cookie_name: str = app.config["SESSION_COOKIE_NAME"]
        self._cookies = _Cookies(serializer)
        with app.app_context():
            self._turn = read_lock(db.engine)
            self._read_versions = reader(db.engine, PAGE_VERSIONS)
            self._read_signed_in = reader(db.engine, FIND)

    def page_versions(self, environ: "WSGIEnvironment") -> PageVersions | None:
        """As the database says it now, each time; None for whoever is not signed in, and in any doubt."""
        found = self._asked(environ, self._read_versions)
        return None if found is None else PageVersions(*found[1])

    def signed_in(self, environ: "WSGIEnvironment") -> SignedIn | None:
        """The same, with all that a page knows of the person."""
        found = self._asked(environ, self._read_signed_in)
        return None if found is None else as_read(*found)

    def _asked(self, environ: "WSGIEnvironment", read: Reader) -> tuple[str, tuple[Any, ...]] | None:
        cookie = cookies_of(environ).get(self._cookie_name)
        token = self._cookies.token(cookie) if cookie else None
        if not token:
            return None
        plain, hashed = token
        with self._turn:
            rows = read({"token_hash": hashed, **moments(utc_now())})
        return (plain, rows[0]) if rows else None


def address_of(environ: "WSGIEnvironment") -> str:
    """The path and the query that were asked for."""
    path: str = environ["PATH_INFO"]
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


class _Cookies:
    """Tokens of session cookies, with their hashes. A signature, once found right, stays right: it is checked once."""

    def __init__(self, serializer: URLSafeTimedSerializer) -> None:
        self._serializer = serializer
        self._known: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def token(self, cookie: str) -> tuple[str, str] | None:
        known = self._known.get(cookie)
        return known if known is not None else self._checked(cookie)

    def _checked(self, cookie: str) -> tuple[str, str] | None:
        # A signature with other characters strewn in is right too, but no browser has it from us.
        if len(cookie) > LONGEST_COOKIE or _OUR_COOKIE.fullmatch(cookie) is None:
            return None
        try:
            token = self._serializer.loads(cookie).get(TOKEN_KEY)
        except BadSignature:
            return None
        if not isinstance(token, str):
            return None
        found = (token, token_hash(token))
        with self._lock:
            self._known[cookie] = found
            if len(self._known) > COOKIES_KEPT:
                self._known.popitem(last=False)
        return found
