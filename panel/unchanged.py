"""The answer to "anything new?" before Flask is asked: 304 after one indexed read, when nothing has changed.

A small WSGI layer for GETs of live regions that carry the hash of what is shown. It proves who asks by the
session cookie and the database, each time; for anything but a plain "nothing new" it steps aside.
"""

import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, cast

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from panel.clock import utc_now
from panel.db import db
from panel.services.shown import PRESENT, Present, shown_hash, since
from panel.services.sign_ins import TOKEN_KEY, token_hash

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The live regions: that of the history and those of single orders.
PATH_BEGINS, PATH_ENDS = "/orders/", "/live"
COOKIES_KEPT = 10_000
LONGEST_COOKIE = 4096
BUSY_SECONDS = 1.0

Read = Callable[[str], tuple[int, int, int] | None]


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
            engine = db.engine
        self._read: Read = _SqliteReader(engine) if engine.dialect.name == "sqlite" else _pooled_reader(engine)

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
        row = self._read(token) if token else None
        if row is None:
            return False
        query = environ.get("QUERY_STRING", "")
        return tag == shown_hash(Present(*row), address=f"{path}?{query}" if query else path)

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


class _SqliteReader:
    """Reads through a connection for each thread, opened for reading alone, with its statement prepared once.

    Outside a transaction each read sees the newest commit. A forked process opens its own connections: SQLite
    allows no other, not even to close them there.
    """

    def __init__(self, engine: Engine) -> None:
        self._path = str(engine.url.database)
        self._sql, self._names = _compiled(engine)
        self._local = threading.local()
        self._process = os.getpid()
        self._left_to_parent: list[object] = []

    def __call__(self, token: str) -> tuple[int, int, int] | None:
        values = {"token_hash": token, "since": _sqlite_text(since(utc_now()))}
        try:
            row: tuple[int, int, int] | None = (
                self._connection().execute(self._sql, [values[name] for name in self._names]).fetchone()
            )
        except sqlite3.Error:
            # Missing, busy or damaged: whatever it is, Flask's own reading will say so.
            self._local.__dict__.pop("connection", None)
            return None
        return row

    def _connection(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            self._leave_to_parent()
        try:
            kept: sqlite3.Connection = self._local.connection
        except AttributeError:
            kept = self._local.connection = sqlite3.connect(
                f"file:{self._path}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_SECONDS
            )
        return kept

    def _leave_to_parent(self) -> None:
        self._left_to_parent.append(self._local.__dict__.copy())
        self._local, self._process = threading.local(), os.getpid()


def _pooled_reader(engine: Engine) -> Read:
    """Reads through the engine's own pool, which mends lost connections, without opening a transaction."""
    reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    def read(token: str) -> tuple[int, int, int] | None:
        try:
            with reading.connect() as connection:
                row = connection.execute(PRESENT, {"token_hash": token, "since": since(utc_now())}).first()
        except SQLAlchemyError:
            return None
        return None if row is None else (row[0], row[1], row[2])

    return read


def _compiled(engine: Engine) -> tuple[str, list[str]]:
    """The statement as SQLite takes it, and the names of its values in order."""
    compiled = PRESENT.compile(dialect=engine.dialect)
    return str(compiled), list(compiled.positiontup or ())


def _sqlite_text(at: datetime) -> str:
    """A moment as the column keeps it."""
    return at.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
