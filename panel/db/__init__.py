"""Database: declarative base, session, transactions, SQLite configuration.

Reads need nothing. A change happens inside `with transaction():`, which commits once or not at all;
only edges (routes, commands, jobs) open one, and nothing slow may happen inside.
May import `security`, `logs`, `domain`, `clock` and `settings`.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, cast

from flask import Flask, current_app, g
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    Connection,
    CursorResult,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    event,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from panel.db import write_turns
from panel.db.errors import DatabaseBusy, is_outcome_unknown, is_unavailable

# SQLite autoincrements only INTEGER keys (64 bits there); PostgreSQL needs BIGINT for money.
Int64 = BigInteger().with_variant(Integer(), "sqlite")

WRITES = "panel_writes"
NO_WAIT = "panel_does_not_wait"
HELD = "panel_held_connection"
CHAIN_HEADS = "panel_chain_heads"

WRITERS = "panel.writers"
# Lock timeouts of writes: short for pages, which then answer 503; longer for commands and the worker.
WEB_WAIT_SECONDS = 4.0
LONG_WAIT_SECONDS = 30.0
# PostgreSQL ends transactions that are idle this long, so that a hanging process loses its locks.
IDLE_IN_TRANSACTION_SECONDS = 15
CONNECT_SECONDS = 3
# How many threads of a web process may be in a transaction together, and how long another one waits for its turn. A
# process has twice as many threads, so that slow writes leave half of them for reads.
MAX_WRITERS = 8
WRITE_SLOT_WAIT_SECONDS = 0.25
# Key in a table's `info`: append-only, so triggers reject UPDATE and DELETE.
APPEND_ONLY = "append_only"
# Key in a table's `info`: open pages depend on it, so on PostgreSQL a trigger notifies the push hub.
NOTIFIES_HUB = "notifies_hub"
# Key in a table's `info`: the triggers, by the ends of their names, that keep daily sums of the table's rows.
SUMS_DAYS = "sums_days"


class UtcDateTime(TypeDecorator[datetime]):
    """Timezone-aware UTC datetime on every engine; naive values are rejected."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Declarative base: integers are 64 bits, text is unbounded, datetimes are UTC."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {int: Int64, str: Text(), datetime: UtcDateTime()}


db = SQLAlchemy(metadata=Base.metadata)

_commits = 0
_counting = threading.Lock()


def init_app(app: Flask, *, url: str, is_web: bool = False) -> None:
    """Bind the database to the app, and configure SQLite's transactions.

    In a web process writes give up after a few seconds, and only some threads may wait together, so that reads go on.
    """
    wait_seconds = WEB_WAIT_SECONDS if is_web else LONG_WAIT_SECONDS
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(url, wait_seconds=wait_seconds)
    app.extensions[WRITERS] = threading.BoundedSemaphore(MAX_WRITERS) if is_web else None
    db.init_app(app)
    if not is_web:
        # Commands migrate; a web process doesn't need the 11 MB that this loads.
        from flask_migrate import Migrate

        Migrate(app, db, directory=str(app.config["MIGRATIONS"]), compare_type=True)
    if app.config["PANEL"].log_sql:
        # SQLAlchemy logs statements at this level. `hide_parameters` keeps their values out.
        logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
    with app.app_context():
        is_sqlite = db.engine.dialect.name == "sqlite"
        app.extensions[write_turns.EXTENSION] = write_turns.WriteTurns(db.engine.url.database if is_sqlite else None)
        if is_sqlite:
            _prepare_sqlite(db.engine)


def _engine_options(url: str, *, wait_seconds: float) -> dict[str, Any]:
    # Bound values may be password hashes or encrypted keys, so errors don't log them.
    always = {"hide_parameters": True, "pool_timeout": wait_seconds}
    if url.startswith("sqlite"):
        return {**always, "connect_args": {"isolation_level": None, "timeout": wait_seconds}, "pool_size": 20}
    given = str(make_url(url).query.get("options", ""))
    # A lock waits first for the writers ahead in the queue and then for the holder, each with this timeout.
    lock_milliseconds = round(wait_seconds * 1000 / 2)
    own = f"-c lock_timeout={lock_milliseconds}ms -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS}s"
    connect = {"connect_timeout": CONNECT_SECONDS, "options": f"{own} {given}".strip()}
    return {**always, "connect_args": connect, "pool_size": 10, "max_overflow": 20, "pool_pre_ping": True}


def _prepare_sqlite(engine: Engine) -> None:
    """Open SQLite transactions with BEGIN IMMEDIATE: `sqlite3`'s own late ones lose updates."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        # REPLACE deletes rows without firing the append-only triggers unless recursive triggers are on.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get(WRITES, False):
            write_turns.begin_immediate(connection, waits=not options.get(NO_WAIT, False))
        else:
            # It takes no lock and can't fail, so the driver runs it: SQLAlchemy takes longer than many a read.
            _driver_connection(connection).execute("BEGIN")


def _driver_connection(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)


@contextmanager
def transaction(*, waits: bool = True, is_note: bool = False) -> Iterator[None]:
    """Commit everything inside once, or nothing of it.

    Objects read before are expired, so checks inside see the current rows. Nesting raises RuntimeError. With
    `waits=False` it fails immediately if another transaction holds the lock. Recording when an API key was used doesn't
    count as a change of the request.
    """
    session = db.session()
    if session.info.get(WRITES):
        raise RuntimeError("a transaction inside a transaction")
    session.rollback()
    writers: threading.BoundedSemaphore | None = current_app.extensions[WRITERS]
    if writers is not None and not writers.acquire(timeout=WRITE_SLOT_WAIT_SECONDS):
        raise DatabaseBusy(f"{MAX_WRITERS} threads write or wait for it already")
    session.info[WRITES] = True
    session.info[CHAIN_HEADS] = {}
    try:
        with write_turns.of_app(current_app).turn() if waits else nullcontext():
            session.info[HELD] = held = session.connection(execution_options={WRITES: True, NO_WAIT: not waits})
            if not waits and held.dialect.name == "postgresql":
                held.exec_driver_sql("SET LOCAL lock_timeout = '10ms'")
            yield
            _commit(session, is_note=is_note)
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop(WRITES, None)
        session.info.pop(HELD, None)
        session.info.pop(CHAIN_HEADS, None)
        if writers is not None:
            writers.release()


def _commit(session: Session, *, is_note: bool) -> None:
    try:
        session.commit()
    except DBAPIError as error:
        if is_outcome_unknown(error) and not is_note:
            g.panel_may_have_saved = True
        raise
    if not is_note:
        g.panel_may_have_saved = True
    _count_commit()


def write_if_unlocked(write: Callable[[], object]) -> bool:
    """Run a small write in its own transaction, or skip it when another transaction holds the lock."""
    try:
        with transaction(waits=False, is_note=True):
            write()
    except SQLAlchemyError as error:
        if not is_unavailable(error):
            raise
        return False
    return True


def may_have_committed() -> bool:
    """Whether this request committed, or may have committed: errors then can't say that nothing was saved."""
    return bool(g.get("panel_may_have_saved", False))


def _count_commit() -> None:
    global _commits
    with _counting:
        _commits += 1


def commit_count() -> int:
    """Number of transactions committed by this process: the same number twice means nothing was written in between."""
    return _commits


def current_connection() -> Connection:
    """The session's current connection."""
    return connection_of(db.session())


def connection_of(session: Session) -> Connection:
    held: Connection | None = session.info.get(HELD)
    return session.connection() if held is None else held


def chain_heads(table: Table) -> dict[int, str]:
    """Heads of the hash chains whose rows of this table the transaction has locked, by row id.

    The code that locks a row stores its head here, and the code that writes the next link takes it from here without a
    read.
    """
    heads: dict[str, dict[int, str]] = db.session().info.setdefault(CHAIN_HEADS, {})
    return heads.setdefault(table.name, {})


def begin_snapshot() -> None:
    """Start a snapshot (repeatable read) that lasts until the next commit or rollback. Ends the current read."""
    db.session.rollback()
    if db.engine.dialect.name == "postgresql":
        db.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


def table_of(model: type[Base]) -> Table:
    """The model's table, for statements that bypass the ORM."""
    return cast(Table, model.__table__)


def execute_write(statement: Any, values: Any = None) -> int:
    """Run an INSERT, UPDATE or DELETE; returns the number of changed rows, summed if `values` is a list."""
    return cast("CursorResult[Any]", db.session.execute(statement, values)).rowcount


def upsert(table: Table) -> Any:
    """An INSERT with an ON CONFLICT clause, in this engine's dialect."""
    return _INSERTS[db.engine.dialect.name](table)


_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def lock_rows(statement: Any, *, of: Any = None, skip_locked: bool = False) -> Any:
    """The statement with FOR UPDATE, if the engine has row locks; on SQLite, BEGIN IMMEDIATE locks the file."""
    return (
        statement if db.engine.dialect.name == "sqlite" else statement.with_for_update(of=of, skip_locked=skip_locked)
    )
