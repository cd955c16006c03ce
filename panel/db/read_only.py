"""Read-only prepared statements that bypass the session, for the most frequent queries.

A reader returns the rows of the latest commit as plain tuples, or None if it could not read. The caller then takes the
regular path, which reports the error.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, NullPool, Select, create_engine, func, select
from sqlalchemy.dialects.sqlite.pysqlite import dialect as sqlite_dialect
from sqlalchemy.exc import SQLAlchemyError

from panel.db import UtcDateTime

BUSY_SECONDS = 1.0
# libpq takes no less.
CONNECT_SECONDS = 2

Rows = list[tuple[Any, ...]]
Reader = Callable[[Mapping[str, object]], Rows | None]


_turn = threading.Lock()


def read_lock(engine: Engine) -> AbstractContextManager[object]:
    """Lock around fast responses: on SQLite only one thread of a process computes one.

    Each read releases the GIL and must acquire it again. Threads that wait for this lock don't compete for the GIL: a
    fifth more responses per second, measured. On PostgreSQL a read waits for the server, so there is no lock.
    """
    return _turn if engine.dialect.name == "sqlite" else nullcontext()


def reader(
    engine: Engine, statement: Select[*tuple[Any, ...]], *, has_many_rows: bool = False, is_rare: bool = False
) -> Reader:
    """A reader of this statement, with named parameters. A parameter may be a list of integers.

    `has_many_rows`: SQLite returns the rows as one JSON text, without times. The driver releases the GIL at each row,
    and when threads compete for it, a hundred rows cost several times as much. `is_rare`: the connection is the
    reader's own, and closed after each read. On SQLite, closing the others leaves the write-ahead log behind while one
    is open, also in commands that read once. On PostgreSQL, a thread that reads inside a transaction would wait for the
    pool, and those that have its connections for the transaction's locks.
    """
    if engine.dialect.name == "sqlite":
        read = _SqliteReader(str(engine.url.database), statement, is_packed=has_many_rows)
        return read.once if is_rare else read
    return _engine_reader(_without_pool(engine) if is_rare else engine, statement)


@lru_cache(64)
def _sqlite_text(statement: Select[*tuple[Any, ...]], *, is_packed: bool) -> tuple[str, list[str], dict[str, Any]]:
    """SQL text, the names of its parameters in their order, and the values that the statement has for some.

    Compiled once for all apps of a process.
    """
    compiled = (_as_one_row(statement) if is_packed else statement).compile(dialect=sqlite_dialect())
    own = {name: value for name, value in compiled.params.items() if value is not None}
    return str(compiled), list(compiled.positiontup or ()), own


def _times(statement: Select[*tuple[Any, ...]]) -> list[tuple[int, Callable[[Any], Any]]]:
    """The places of times in a row, each with what makes one of the text that SQLite stores."""
    dialect = sqlite_dialect()
    return [
        (place, process)
        for place, column in enumerate(statement.selected_columns)
        if isinstance(column.type, UtcDateTime)
        and (process := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
    ]


def _as_one_row(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    rows = statement.subquery()
    return select(func.json_group_array(func.json_array(*rows.c)))


class _SqliteReader:
    """One read-only connection per thread, with the statement prepared once.

    Outside a transaction each read sees the latest commit. A forked process opens its own connections, since SQLite
    doesn't allow using, or even closing, the parent's.
    """

    def __init__(self, path: str, statement: Select[*tuple[Any, ...]], *, is_packed: bool) -> None:
        self._path = path
        self._sql, self._names, self._own = _sqlite_text(statement, is_packed=is_packed)
        self._is_packed = is_packed
        self._times = _times(statement)
        self._local = threading.local()
        self._process = os.getpid()
        self._left_to_parent: list[object] = []

    def __call__(self, values: Mapping[str, object]) -> Rows | None:
        known = {**self._own, **values} if self._own else values
        given = [_plain(known[name]) for name in self._names]
        try:
            rows = self._connection().execute(self._sql, given).fetchall()
        except sqlite3.Error:
            # Missing, busy or damaged: the regular read reports it.
            self._local.__dict__.pop("connection", None)
            return None
        if self._is_packed:
            return [tuple(row) for row in json.loads(rows[0][0])]
        return [self._with_times(row) for row in rows] if self._times else rows

    def _with_times(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        values = list(row)
        for place, process in self._times:
            values[place] = process(values[place])
        return tuple(values)

    def once(self, values: Mapping[str, object]) -> Rows | None:
        """Read, then close the connection."""
        rows = self(values)
        kept = self._local.__dict__.pop("connection", None)
        if kept is not None:
            kept.close()
        return rows

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


def _plain(value: object) -> object:
    """A value as SQLite takes it: times and lists are text there."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return json.dumps(value) if isinstance(value, list) else value


def _without_pool(engine: Engine) -> Engine:
    connect = {"connect_timeout": CONNECT_SECONDS}
    return create_engine(engine.url, poolclass=NullPool, hide_parameters=True, connect_args=connect)


def _engine_reader(engine: Engine, statement: Select[*tuple[Any, ...]]) -> Reader:
    """Reads through the engine, whose pool replaces lost connections, without opening a transaction."""
    reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    def read(values: Mapping[str, object]) -> Rows | None:
        try:
            with reading.connect() as connection:
                return [tuple(row) for row in connection.execute(statement, dict(values))]
        except SQLAlchemyError:
            return None

    return read
