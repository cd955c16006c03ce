"""Session lookup before Flask: verify the session cookie's signature, then read session and person in one query."""

from typing import Any
from wsgiref.types import WSGIEnvironment

from flask import Flask
from itsdangerous import BadSignature

from panel.blueprints.shared.signed_sessions import SignedSessions
from panel.clock import utc_now
from panel.db import db
from panel.db.read_only import Reader, read_lock, reader
from panel.security.request_identity import cookies_of
from panel.services.accounts.sessions import LoggedIn, PageVersions, committed_reader, from_row, time_bounds
from panel.services.page_version import PAGE_VERSIONS


class SessionLookup:
    """Who a request's session belongs to, as the database says now. None if nobody is logged in, or in any doubt."""

    def __init__(self, app: Flask) -> None:
        self.cookie_name: str = app.config["SESSION_COOKIE_NAME"]
        self.public_url: str = app.config["PANEL"].public_url
        if not isinstance(app.session_interface, SignedSessions):
            raise TypeError("Set app.session_interface to SignedSessions first: it verifies the cookies.")
        self.app, self._sessions = app, app.session_interface
        with app.app_context():
            self._lock = read_lock(db.engine)
            self._read_versions = reader(db.engine, PAGE_VERSIONS)
            self._read_logged_in = committed_reader()

    def cookie_of(self, environ: WSGIEnvironment) -> str | None:
        """The session cookie as Flask reads it; None for a visitor."""
        return cookies_of(environ).get(self.cookie_name)

    def token_hash_of(self, environ: WSGIEnvironment) -> str | None:
        """The hash of the session token in the cookie; None without a cookie of ours."""
        found = self._tokens_of(environ)
        return None if found is None else found[1]

    def page_versions(self, environ: WSGIEnvironment) -> PageVersions | None:
        """The versions alone."""
        found = self._read(environ, self._read_versions)
        return None if found is None else PageVersions(*found[1])

    def logged_in(self, environ: WSGIEnvironment) -> LoggedIn | None:
        """The logged-in user's row with everything a page needs, and the versions."""
        found = self._read(environ, self._read_logged_in)
        return None if found is None else from_row(*found)

    def _read(self, environ: WSGIEnvironment, read: Reader) -> tuple[str, tuple[Any, ...]] | None:
        found = self._tokens_of(environ)
        if found is None:
            return None
        token, hashed = found
        with self._lock:
            rows = read({"token_hash": hashed, **time_bounds(utc_now())})
        return (token, rows[0]) if rows else None

    def _tokens_of(self, environ: WSGIEnvironment) -> tuple[str, str] | None:
        """The session token in the cookie, and its hash."""
        cookie = self.cookie_of(environ)
        try:
            found = self._sessions.verified(self.app, cookie) if cookie else None
        except BadSignature:
            return None
        return (found.token, found.token_hash) if found is not None and found.token else None


def address_of(environ: WSGIEnvironment) -> str:
    """The path and the query that were asked for."""
    path: str = environ["PATH_INFO"]
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path
