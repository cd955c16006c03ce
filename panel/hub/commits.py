"""Commit detection: waits until another process has committed something that open pages may show.

SQLite: `PRAGMA data_version`, which changes with every commit of another connection. PostgreSQL: LISTEN; triggers of
migration 0018 notify when a person, a session, the catalogue or an office queue has changed.
"""

import asyncio
import time
from typing import Protocol

import psycopg
from sqlalchemy import Engine, make_url

from panel.db.commit_watch import SqliteCommitWatch

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
    """Looks at the version of the file, soon after a commit more often."""

    def __init__(self, path: str) -> None:
        self._watch = SqliteCommitWatch(path)
        self._busy_until = 0.0

    async def next(self) -> None:
        while not self._watch.has_changed():
            is_busy = time.monotonic() < self._busy_until
            await asyncio.sleep(BUSY_LOOK_SECONDS if is_busy else LOOK_SECONDS)
        self._busy_until = time.monotonic() + BUSY_FOR_SECONDS

    async def close(self) -> None:
        self._watch.close()


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
