"""SQL statements of a request on SQLite, counted where SQLite runs them: those of the session, of compiled statements
and of the readers before Flask alike.

What begins and ends transactions, and what triggers do, is left out.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import event

from panel.db import db, read_only

_NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA", "SAVEPOINT", "RELEASE", "--")


class TracedStatements:
    """Statements in the order in which they ran; `clear` before the request that is counted."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def clear(self) -> None:
        self.texts.clear()

    def note(self, text: str) -> None:
        # SQLite names a write again for each of its triggers.
        is_trigger = self.texts[-1:] == [text] and not text.startswith("SELECT")
        if not is_trigger and not text.startswith(_NOT_COUNTED):
            self.texts.append(text)


@contextmanager
def traced(app: Flask) -> Iterator[TracedStatements]:
    """Trace all connections that are opened inside. Needs the app's context."""
    statements = TracedStatements()

    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(statements.note)

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = sqlite3.connect(*args, **kwargs)
        connection.set_trace_callback(statements.note)
        return connection

    class _Traced:
        """`sqlite3` for the readers, which open connections of their own."""

        def __getattr__(self, name: str) -> Any:
            return connect if name == "connect" else getattr(sqlite3, name)

    engine = db.engine
    db.session.rollback()
    engine.dispose()
    event.listen(engine, "connect", on_connect)
    vars(read_only)["sqlite3"] = _Traced()
    try:
        yield statements
    finally:
        vars(read_only)["sqlite3"] = sqlite3
        event.remove(engine, "connect", on_connect)
        engine.dispose()
