"""Hot statements: compiled once for the engine in use and run by the driver itself, inside the session's transaction.

A step that moves money is some ten small statements. SQLAlchemy spends several times longer on each than SQLite does,
so these ten go straight to the driver. Types are still SQLAlchemy's: its processors turn values into what the engine
keeps and back, and the driver's errors are raised as SQLAlchemy's, so callers see no difference.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Select,
    Text,
    TypeDecorator,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from panel.db import current_connection, db

Values = Mapping[str, Any]
Processor = Callable[[Any], Any]

TOGETHER = "panel_sent_together"


class _Listed(TypeDecorator[Any]):
    """Whole numbers as one JSON text: SQLite has no arrays."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return f"[{','.join(map(str, value))}]"


def among(column: ColumnElement[int], name: str) -> ColumnElement[bool]:
    """Whether the column is one of the whole numbers given, as a list, under this name, however many they are."""
    if db.engine.dialect.name == "sqlite":
        values = func.json_each(bindparam(name, type_=_Listed())).table_valued("value")
        return column.in_(select(values.c.value))
    return column == any_(bindparam(name, type_=ARRAY(BigInteger)))


@dataclass(frozen=True, slots=True)
class _SentStatement:
    """A statement that has been sent, and what must have come of it."""

    cursor: DBAPICursor
    rows: int
    or_else: Callable[[], Exception] | None

    def check(self) -> None:
        changed = self.cursor.rowcount
        self.cursor.close()
        if self.or_else is not None and changed != self.rows:
            raise self.or_else()


@contextmanager
def together() -> Iterator[None]:
    """Statements run inside are sent without waiting for one another where the engine is a server away.

    What `or_else` checks is then checked at the end: nothing inside may build on it. Inside, only hot statements
    read: the session's own reads do not know that answers are still on their way.
    """
    connection, info = current_connection(), db.session().info
    if connection.dialect.name == "sqlite" or TOGETHER in info:
        yield
        return
    sent: list[_SentStatement] = []
    info[TOGETHER] = sent
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_ours(error, connection.dialect, "statements sent together") from error
    finally:
        info.pop(TOGETHER, None)
    for each in sent:
        each.check()


def _as_ours(error: Exception, dialect: Dialect, sql: str) -> Exception:
    """The driver's error as SQLAlchemy's own, which is what callers catch."""
    base = dialect.loaded_dbapi.Error
    return DBAPIError.instance(sql, None, error, base, hide_parameters=True, dialect=dialect)


class Hot:
    """One statement. `make` builds it, with bound parameters for all values, when it is first run on an engine."""

    def __init__(self, make: Callable[[], Any], *, columns: Sequence[str] | None = None) -> None:
        self._make, self._columns = make, columns
        self._compiled: dict[str, _Compiled] = {}

    def run(self, rows: Sequence[Values], *, or_else: Callable[[], Exception] | None = None) -> None:
        """Run it for each of these rows of values. `or_else` makes what is raised unless each changes one row."""
        connection = current_connection()
        cursor = self._for(connection.dialect).execute(connection, rows)
        sent = _SentStatement(cursor, len(rows), or_else)
        waiting: list[_SentStatement] | None = db.session().info.get(TOGETHER)
        if waiting is None:
            sent.check()
        else:
            waiting.append(sent)

    def read(self, values: Values) -> list[Sequence[Any]]:
        """Run a SELECT; its rows, with the values as their columns' types have them."""
        connection = current_connection()
        return self._for(connection.dialect).read(connection, values)

    def _for(self, dialect: Dialect) -> "_Compiled":
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _Compiled(self._make(), dialect, columns=self._columns)
        return found


class _Compiled:
    """A statement in the words of one engine."""

    def __init__(self, statement: Any, dialect: Dialect, *, columns: Sequence[str] | None) -> None:
        compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=columns)
        self._dialect, self._sql = dialect, str(compiled)
        kinds = {name: bind.type.dialect_impl(dialect) for bind, name in compiled.bind_names.items()}
        names = compiled.positiontup if compiled.positiontup is not None else sorted(kinds)
        self._names, self._is_by_place = tuple(names), compiled.positiontup is not None
        self._take = itemgetter(*names) if len(names) > 1 else None
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        processors = [kinds[name].bind_processor(dialect) for name in names]
        self._binds = [(place, process) for place, process in enumerate(processors) if process is not None]
        self._results: list[tuple[int, Processor]] = []
        if isinstance(statement, Select):
            for place, column in enumerate(statement.selected_columns):
                process = column.type.dialect_impl(dialect).result_processor(dialect, None)
                if process is not None:
                    self._results.append((place, process))

    def read(self, connection: Connection, values: Values) -> list[Sequence[Any]]:
        cursor = self.execute(connection, [values])
        try:
            rows: Collection[Sequence[Any]] = cursor.fetchall()
        finally:
            cursor.close()
        return [self._read(row) for row in rows] if self._results else list(rows)

    def execute(self, connection: Connection, rows: Sequence[Values]) -> DBAPICursor:
        given = self._given(rows)
        cursor = connection.connection.cursor()
        try:
            if len(given) == 1:
                cursor.execute(self._sql, given[0])
            else:
                cursor.executemany(self._sql, given)
        except self._dialect.loaded_dbapi.Error as error:
            cursor.close()
            raise _as_ours(error, self._dialect, self._sql) from error
        return cursor

    def _given(self, rows: Sequence[Values]) -> list[Any]:
        """The values as the driver takes them. The same moment stands in each row of a batch: it is turned once."""
        done: dict[tuple[int, Any], Any] = {}
        given: list[Any] = []
        for row in rows:
            values = {**self._fixed, **row} if self._fixed else row
            taken = list(self._take(values)) if self._take is not None else [values[name] for name in self._names]
            for place, process in self._binds:
                taken[place] = _turned(process, taken[place], done)
            given.append(taken if self._is_by_place else dict(zip(self._names, taken, strict=True)))
        return given

    def _read(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, process in self._results:
            values[place] = process(values[place])
        return values


def _turned(process: Processor, value: Any, done: dict[tuple[int, Any], Any]) -> Any:
    if not isinstance(value, datetime):
        return process(value)
    key = (id(process), value)
    if key not in done:
        done[key] = process(value)
    return done[key]
