"""Commit detection: waits until another process has committed something that open pages may show.

SQLite: `PRAGMA data_version`, which changes with every commit of another connection. PostgreSQL: LISTEN; triggers of
migration 0018 notify when a person, a session, the catalogue or an office queue has changed.
"""

import asyncio
import sqlite3
import time
from typing import Protocol

import psycopg
from sqlalchemy import Engine, make_url

# The channel of migration 0018.
CHANNEL = "panel_changed"
# Between two looks at SQLite's file: soon after a commit more often, as more may follow.
LOOK_SECONDS = 0.05
BUSY_LOOK_SECONDS = 0.004
BUSY_FOR_SECONDS = 2.0
RECONNECT_SECONDS = 1.0


class Commits(Protocol):
    """A source of commits."""

    async def next(self) -> None:
        """Return when something was committed since the last call, or when that can't be ruled out."""

    async def close(self) -> None:
        """Give back the connection."""


def commits_of(engine: Engine) -> Commits:
    """The source of commits for this database."""
    if engine.dialect.name == "sqlite":
        return SqliteCommits(str(engine.url.database))
    return PostgresqlCommits(engine.url.render_as_string(hide_password=False))


class SqliteCommits:
    """Looks at the version of the file, which takes some ten microseconds."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None
        self._busy_until = 0.0

    async def next(self) -> None:
        while not self._has_changed():
            is_busy = time.monotonic() < self._busy_until
            await asyncio.sleep(BUSY_LOOK_SECONDS if is_busy else LOOK_SECONDS)
        self._busy_until = time.monotonic() + BUSY_FOR_SECONDS

    def _has_changed(self) -> bool:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(
                    f"file:{self._path}?mode=ro", uri=True, isolation_level=None, timeout=0
                )
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            # The file was replaced, or is not there yet: open it again next time.
            self._connection = None
            return False
        has_changed, self._version = version != self._version, version
        return has_changed

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class PostgresqlCommits:
    """Listens on a connection of its own, and makes a new one when it is lost."""

    def __init__(self, url: str) -> None:
        parts = make_url(url).set(drivername="postgresql")
        self._address = parts.render_as_string(hide_password=False)
        self._connection: psycopg.AsyncConnection | None = None

    async def next(self) -> None:
        try:
            if self._connection is None:
                await self._connect()
                # Something may have been committed while nobody listened.
                return
            async for _notice in self._connection.notifies(stop_after=1):
                pass
        except (psycopg.Error, OSError):
            self._connection = None
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _connect(self) -> None:
        self._connection = await psycopg.AsyncConnection.connect(self._address, autocommit=True)
        await self._connection.execute(f"LISTEN {CHANNEL}")

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
