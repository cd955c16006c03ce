"""Commit detection: waits until another process has committed something that open pages may show.

SQLite: `PRAGMA data_version`, which changes with every commit of another connection. PostgreSQL: LISTEN.
"""

import asyncio
import time
from typing import Protocol

from sqlalchemy import Engine

from panel.db.commit_watch import SqliteCommitWatch

# Between two looks at SQLite's file: soon after a commit more often, as more may follow.
LOOK_SECONDS = 0.05
BUSY_LOOK_SECONDS = 0.004
BUSY_FOR_SECONDS = 2.0


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
    # The driver takes 8 MB, which a panel on SQLite doesn't need.
    from panel.hub.postgresql_commits import PostgresqlCommits

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
