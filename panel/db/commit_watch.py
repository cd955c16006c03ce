"""Commit watch: whether anything was committed since the last look, at the price of microseconds.

SQLite: `PRAGMA data_version`, which changes with every commit of another connection. PostgreSQL: the number that
the next transaction that writes will have, which also changes with commits in other databases of the same server.
"""

import sqlite3
import threading
from typing import Protocol

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

_NEXT_TRANSACTION = text("SELECT CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text)")


class CommitWatch(Protocol):
    """Looks for commits. The first look, and the first one after the database was away, count as a change."""

    def has_changed(self) -> bool:
        """Whether something was committed since the last look, or that can't be ruled out; False while it is away."""

    def close(self) -> None:
        """Give back the connection."""


def commit_watch(engine: Engine) -> CommitWatch:
    """The watch for this database."""
    if engine.dialect.name == "sqlite":
        return SqliteCommitWatch(str(engine.url.database))
    return PostgresqlCommitWatch(engine)


class SqliteCommitWatch:
    """Looks at the version of the file, which takes some ten microseconds."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None

    def has_changed(self) -> bool:
        try:
            if self._connection is None:
                # A watch may be shared between threads, under a lock.
                self._connection = sqlite3.connect(
                    f"file:{self._path}?mode=ro", uri=True, isolation_level=None, timeout=0, check_same_thread=False
                )
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            # The file was replaced, or is not there yet: open it again next time.
            self._connection = None
            return False
        has_changed, self._version = version != self._version, version
        return has_changed

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class CommitNumber:
    """A number that is the same as long as nothing is committed by anybody, for all threads of a process."""

    def __init__(self, watch: CommitWatch) -> None:
        self._watch, self._lock, self._number = watch, threading.Lock(), 0

    def current(self) -> int:
        """The number as of now: read it before what is cached under it."""
        with self._lock:
            self._number += self._watch.has_changed()
            return self._number


class PostgresqlCommitWatch:
    """Asks for the number of the next transaction, which takes none itself."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._next: str | None = None

    def has_changed(self) -> bool:
        try:
            with self._engine.connect() as connection:
                following: str = connection.execute(_NEXT_TRANSACTION).scalar_one()
        except SQLAlchemyError:
            self._next = None
            return False
        has_changed, self._next = following != self._next, following
        return has_changed

    def close(self) -> None:
        """The connection is the pool's."""
