"""Commit detection on PostgreSQL: LISTEN for what triggers of migration 0018 announce.

They notify when a person, a session, the catalogue or an office queue has changed.
"""

import asyncio

import psycopg
from sqlalchemy import make_url

# The channel of migration 0018.
CHANNEL = "panel_changed"
RECONNECT_SECONDS = 1.0


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
