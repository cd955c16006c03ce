"""Compiled statements: compiled once per engine and executed by the driver itself, in the session's transaction.

A step that moves money takes about ten small statements. SQLAlchemy spends several times longer on each than SQLite
does, so these go straight to the driver. SQLAlchemy's type processors still convert values in both directions, and
driver errors are raised as SQLAlchemy's own, so callers see no difference.

On PostgreSQL an INSERT or UPDATE of several rows is one statement that reads them from a JSON array: the server plans
and executes it once, and triggers for each statement run once, not for each row.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Insert,
    SelectBase,
    Text,
    TypeDecorator,
    Update,
    any_,
    bindparam,
    column,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.visitors import replacement_traverse

from panel.db import connection_of, current_connection, db

Values = Mapping[str, Any]
Processor = Callable[[Any], Any]

PIPELINE_KEY = "panel_pipeline"
ROWS = "rows_of_batch"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=datetime.isoformat).encode


class _JsonArray(TypeDecorator[Any]):
    """Integers as one JSON array in text: SQLite has no arrays."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return f"[{','.join(map(str, value))}]"


def in_list(column: ColumnElement[int], name: str) -> ColumnElement[bool]:
    """`column IN (…)` with one bound parameter of this name: a list of integers of any length."""
    if db.engine.dialect.name == "sqlite":
        values = func.json_each(bindparam(name, type_=_JsonArray())).table_valued("value")
        return column.in_(select(values.c.value))
    return column == any_(bindparam(name, type_=ARRAY(BigInteger)))


@dataclass(frozen=True, slots=True)
class _SentStatement:
    """An executed statement and the row count it must have."""

    cursor: DBAPICursor
    rows: int
    expect_one: Callable[[], Exception] | None

    def check(self) -> None:
        changed = self.cursor.rowcount
        self.cursor.close()
        if self.expect_one is not None and changed != self.rows:
            raise self.expect_one()


@contextmanager
def pipeline() -> Iterator[None]:
    """Pipeline mode (PostgreSQL): statements inside are sent without waiting for the previous one's result.

    `expect_one` is then checked at the end, so nothing inside may rely on it. Only compiled statements may read
    inside: the session's own reads do not know that results are still pending.
    """
    connection, info = current_connection(), db.session().info
    if connection.dialect.name == "sqlite" or PIPELINE_KEY in info:
        yield
        return
    sent: list[_SentStatement] = []
    info[PIPELINE_KEY] = sent
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy_error(error, connection.dialect, "pipelined statements") from error
    finally:
        info.pop(PIPELINE_KEY, None)
    for each in sent:
        each.check()


def _as_sqlalchemy_error(error: Exception, dialect: Dialect, sql: str) -> Exception:
    """The driver's error wrapped in SQLAlchemy's, which is what callers catch."""
    base = dialect.loaded_dbapi.Error
    return DBAPIError.instance(sql, None, error, base, hide_parameters=True, dialect=dialect)


class CompiledStatement:
    """One statement. `make` builds it, with bound parameters for all values, on first use with an engine."""

    def __init__(self, make: Callable[[], Any], *, columns: Sequence[str] | None = None) -> None:
        self._make, self._columns = make, columns
        self._compiled: dict[str, _Compiled] = {}

    def execute(self, rows: Sequence[Values], *, expect_one: Callable[[], Exception] | None = None) -> None:
        """Execute it for each row of values. `expect_one` makes the error to raise unless each changes one row."""
        session = db.session()
        connection = connection_of(session)
        cursor = self._for(connection.dialect).execute(connection, rows)
        sent = _SentStatement(cursor, len(rows), expect_one)
        waiting: list[_SentStatement] | None = session.info.get(PIPELINE_KEY)
        if waiting is None:
            sent.check()
        else:
            waiting.append(sent)

    def fetch(self, values: Values) -> list[Sequence[Any]]:
        """Execute a SELECT and return its rows, with values converted by their column types."""
        connection = current_connection()
        return self._for(connection.dialect).read(connection, values)

    def _for(self, dialect: Dialect) -> "_Compiled":
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _Compiled(self._make(), dialect, columns=self._columns)
        return found


class _Compiled:
    """A statement compiled for one dialect."""

    def __init__(self, statement: Any, dialect: Dialect, *, columns: Sequence[str] | None) -> None:
        compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=columns)
        self._dialect, self._sql = dialect, str(compiled)
        kinds = {name: bind.type.dialect_impl(dialect) for bind, name in compiled.bind_names.items()}
        names = compiled.positiontup if compiled.positiontup is not None else sorted(kinds)
        self._names, self._is_by_place = tuple(names), compiled.positiontup is not None
        self._take = itemgetter(*names) if len(names) > 1 else None
        binds = compiled.bind_names.items()
        self._fixed = {name: bind.value for bind, name in binds if not bind.required and bind.value is not None}
        processors = [kinds[name].bind_processor(dialect) for name in names]
        self._binds = [(place, process) for place, process in enumerate(processors) if process is not None]
        self._batch_sql = ""
        if dialect.name == "postgresql" and isinstance(statement, Insert | Update):
            given = {bind.key: bind.type for bind, name in binds if name not in self._fixed}
            self._batch_sql = str(_of_json(statement, given).compile(dialect=dialect))
        self._results: list[tuple[int, Processor]] = []
        if isinstance(statement, SelectBase):
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
            elif self._batch_sql:
                cursor.execute(self._batch_sql, {**self._fixed, ROWS: _encode(given)})
            else:
                cursor.executemany(self._sql, given)
        except self._dialect.loaded_dbapi.Error as error:
            cursor.close()
            raise _as_sqlalchemy_error(error, self._dialect, self._sql) from error
        return cursor

    def _given(self, rows: Sequence[Values]) -> list[Any]:
        """The values as the driver takes them. A batch repeats the same time in each row, so it is converted once."""
        done: dict[tuple[int, Any], Any] = {}
        given: list[Any] = []
        for row in rows:
            values = {**self._fixed, **row} if self._fixed else row
            taken = list(self._take(values)) if self._take is not None else [values[name] for name in self._names]
            for place, process in self._binds:
                taken[place] = _bound_value(process, taken[place], done)
            given.append(taken if self._is_by_place else dict(zip(self._names, taken, strict=True)))
        return given

    def _read(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, process in self._results:
            values[place] = process(values[place])
        return values


def _of_json(statement: Insert | Update, given: Mapping[str, Any]) -> Insert | Update:
    """The statement for all rows of a JSON array, with columns of it in place of its bound parameters."""
    rows = func.json_to_recordset(bindparam(ROWS, type_=JSON()))
    columns = (column(name, kind) for name, kind in given.items())
    table = rows.table_valued(*columns).render_derived(name=ROWS, with_types=True)
    if isinstance(statement, Insert):
        return statement.from_select(list(given), select(*table.c), include_defaults=False)

    def replaced(element: Any, **_: Any) -> Any:
        return table.c[element.key] if isinstance(element, BindParameter) and element.key in given else None

    found: Any = replacement_traverse(statement, {}, replaced)
    return cast("Update", found)


def _bound_value(process: Processor, value: Any, done: dict[tuple[int, Any], Any]) -> Any:
    if not isinstance(value, datetime):
        return process(value)
    key = (id(process), value)
    if key not in done:
        done[key] = process(value)
    return done[key]
