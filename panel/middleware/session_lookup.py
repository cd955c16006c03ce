"""Session lookup before Flask: verify the session cookie's signature, then read session and person in one query."""

import re
from typing import TYPE_CHECKING, Any, cast

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature

from panel.clock import utc_now
from panel.db import db
from panel.db.read_only import Reader, read_lock, reader
from panel.lru_cache import LRUCache
from panel.security.request_identity import cookies_of
from panel.services.accounts.sessions import FIND, TOKEN_KEY, PageVersions, SignedIn, as_read, moments, token_hash
from panel.services.page_version import PAGE_VERSIONS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_COOKIES = 10_000
LONGEST_COOKIE = 4096
_OUR_COOKIE = re.compile(r"[A-Za-z0-9_.-]+")


class SessionLookup:
    """Who a request's session belongs to, as the database says now. None if nobody is logged in, or in any doubt."""

    def __init__(self, app: Flask) -> None:
        serializer = cast(SecureCookieSessionInterface, app.session_interface).get_signing_serializer(app)
        if serializer is None:
            raise ValueError("an app without a secret key has no sessions")
        self.cookie_name: str = app.config["SESSION_COOKIE_NAME"]
        self._serializer = serializer
        # A valid signature stays valid, so it is verified once. By cookie: its token, and the token's hash.
        self._tokens: LRUCache[str, tuple[str, str]] = LRUCache(MAX_COOKIES)
        with app.app_context():
            self._lock = read_lock(db.engine)
            self._read_versions = reader(db.engine, PAGE_VERSIONS)
            self._read_signed_in = reader(db.engine, FIND)

    def cookie_of(self, environ: "WSGIEnvironment") -> str | None:
        return cookies_of(environ).get(self.cookie_name)

    def page_versions(self, environ: "WSGIEnvironment") -> PageVersions | None:
        """The versions alone."""
        found = self._read(environ, self._read_versions)
        return None if found is None else PageVersions(*found[1])

    def signed_in(self, environ: "WSGIEnvironment") -> SignedIn | None:
        """Everything that a page needs to know of the person."""
        found = self._read(environ, self._read_signed_in)
        return None if found is None else as_read(*found)

    def _read(self, environ: "WSGIEnvironment", read: Reader) -> tuple[str, tuple[Any, ...]] | None:
        cookie = self.cookie_of(environ)
        known = (self._tokens.get(cookie) or self._verify(cookie)) if cookie else None
        if known is None:
            return None
        token, hashed = known
        with self._lock:
            rows = read({"token_hash": hashed, **moments(utc_now())})
        return (token, rows[0]) if rows else None

    def _verify(self, cookie: str) -> tuple[str, str] | None:
        # A signature is also valid with foreign characters in between, but we never send such a cookie.
        if len(cookie) > LONGEST_COOKIE or _OUR_COOKIE.fullmatch(cookie) is None:
            return None
        try:
            token = self._serializer.loads(cookie).get(TOKEN_KEY)
        except BadSignature:
            return None
        if not isinstance(token, str):
            return None
        found = (token, token_hash(token))
        self._tokens.set(cookie, found)
        return found


def address_of(environ: "WSGIEnvironment") -> str:
    """The path and the query that were asked for."""
    path: str = environ["PATH_INFO"]
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path
