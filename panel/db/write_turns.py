"""Turns at SQLite's write lock: the worker gives way to pages, API calls and commands that wait for it.

SQLite has no queue: those who wait look again after a pause, so a worker whose threads pass the lock to each other kept
a page waiting for seconds. Everyone but the worker therefore holds a shared lock on a file beside the database, from
before a transaction begins until it ends, and the worker begins none while somebody holds it. Its threads take turns,
so that one alone can be past that look: SQLite lets one write at a time in any case.

This only decides who comes first. Without the file, as in a folder that has no file locks, writes are as safe and less
fair. The kernel frees the lock of a process that was killed.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flask import Flask
from sqlalchemy import Connection

EXTENSION = "panel.write_turns"
FILE_ENDING = "-turns"
# A transaction of the worker gives way no longer than this, so that a stream of others doesn't stop it.
MAX_GIVE_WAY_SECONDS = 0.05
# A thread of the worker that waited this long for the others' transactions leaves it to SQLite.
MAX_QUEUE_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 0.001


class WriteTurns:
    """The turns at one app's database. Without a file there are none: on PostgreSQL, and in memory."""

    def __init__(self, file: str | None) -> None:
        self._path = f"{file}{FILE_ENDING}" if file and file != ":memory:" else None
        # Whether this app is the worker's.
        self.gives_way = False
        self._workers = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Around a transaction that waits for the lock."""
        if self._path is None or not self.gives_way:
            with self._marked():
                yield
            return
        is_ours = self._workers.acquire(timeout=MAX_QUEUE_SECONDS)
        try:
            with self._marked():
                yield
        finally:
            if is_ours:
                self._workers.release()

    @contextmanager
    def _marked(self) -> Iterator[None]:
        # Opened each time: threads that shared an opening would share its lock.
        file = self._opened()
        if file is None:
            yield
            return
        try:
            _try_for_a_while(file, fcntl.LOCK_EX if self.gives_way else fcntl.LOCK_SH)
            if self.gives_way:
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_UN)
            yield
        finally:
            os.close(file)

    def _opened(self) -> int | None:
        if self._path is None:
            return None
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None


def of_app(app: Flask) -> WriteTurns:
    turns: WriteTurns = app.extensions[EXTENSION]
    return turns


def begin_immediate(connection: Connection, *, waits: bool) -> None:
    """BEGIN IMMEDIATE, tried again at an even pace as long as the connection's busy timeout says.

    SQLite's own pauses grow to 100 ms: a page would wait long after a short transaction of the worker.
    """
    driver: Any = connection.connection.driver_connection
    milliseconds = driver.execute("PRAGMA busy_timeout").fetchone()[0]
    driver.execute("PRAGMA busy_timeout=0")
    try:
        give_up_at = time.monotonic() + milliseconds / 1000 if waits else 0.0
        while time.monotonic() < give_up_at:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
                time.sleep(LOOK_AGAIN_SECONDS)
            else:
                return
        # What goes wrong now is raised as SQLAlchemy's error.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        driver.execute(f"PRAGMA busy_timeout={milliseconds}")


def _try_for_a_while(file: int, kind: int) -> None:
    """Take this lock of the file, or do without it. The worker has its own for microseconds alone."""
    give_up_at = time.monotonic() + MAX_GIVE_WAY_SECONDS
    while time.monotonic() < give_up_at:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_AGAIN_SECONDS)
        except OSError:
            # No file locks in this folder.
            return
        else:
            return
