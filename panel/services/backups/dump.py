"""Online backup: a snapshot of all tables in one file, which exists only when it is complete."""

import contextlib
import errno
import gzip
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    Table,
    Text,
    case,
    false,
    func,
    literal,
    select,
    true,
    type_coerce,
)

from panel.db import db
from panel.domain.errors import ActionRefused
from panel.services.backups.file_format import FORMAT, KIND, Progress, as_text, revision_of, rows_at_once, tables_of

# At the usual level 6 compressing takes three times as long as everything else.
COMPRESSION = 1

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write(path: Path, *, now: datetime, progress: Progress | None = None) -> int:
    """Write all rows to a new file with mode 600. Returns the number of rows. Raises Refused if the file exists."""
    if path.exists():
        raise _is_there(path)
    try:
        with _new_file(path) as file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=COMPRESSION) as packed:
            count = 0
            for rows, text in _pieces(now=now, progress=progress):
                packed.write(text.encode())
                count += rows
    except FileExistsError:
        raise _is_there(path) from None
    except FileNotFoundError:
        raise ActionRefused(f"There is no folder {path.parent}.") from None
    return count


def _is_there(path: Path) -> ActionRefused:
    return ActionRefused(f"{path} is there already. Name a file that does not exist.")


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when everything is on the disk; whatever ends the process before leaves nothing."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            unnamed = os.open(path.parent, os.O_WRONLY | os.O_TMPFILE, 0o600)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
                raise
            with _named_file(path) as file:
                yield file
            return
        with os.fdopen(unnamed, "wb") as file:
            yield file
            _to_disk(file)
            # Unlike a rename, a link never overwrites an existing file. `dst_dir_fd`: the link in /proc is followed.
            os.link(f"/proc/self/fd/{file.fileno()}", path.name, dst_dir_fd=folder)
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _named_file(path: Path) -> Iterator[IO[bytes]]:
    """For filesystems without unnamed files: a hidden file, removed in any case but a kill."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            _to_disk(file)
        os.link(part, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _pieces(*, now: datetime, progress: Progress | None) -> Iterator[tuple[int, str]]:
    """Lines of the file, each time with how many of them are rows."""
    engine = db.engine
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    # One read transaction for all tables, so the backup is consistent. On SQLite (WAL) writers continue.
    with engine.connect() as connection:
        head = {"kind": KIND, "format": FORMAT, "made_at": now.isoformat(), "revision": revision_of(connection)}
        yield 0, _line(head)
        count = 0
        for table in tables_of(connection):
            yield 0, _line({"table": table.name, "columns": [column.name for column in table.columns]})
            rows, done = 0, 0
            if progress is not None:
                rows = connection.execute(select(func.count()).select_from(table)).scalar_one()
            is_made_by_sqlite = connection.dialect.name == "sqlite" and _is_plain(table)
            for found, text in _rows_as_json(connection, table) if is_made_by_sqlite else _rows(connection, table):
                yield found, text
                done += found
                if progress is not None:
                    progress(table.name, done, rows)
            count += done
        yield 0, _line({"rows": count})


def _line(value: dict[str, Any] | list[Any]) -> str:
    return f"{_encode(value)}\n"


def _is_plain(table: Table) -> bool:
    """Whether SQLite's own JSON has all values of this table exactly."""
    return all(isinstance(column.type, Boolean | Date | DateTime | Integer | Text) for column in table.columns)


def _rows_as_json(connection: Connection, table: Table) -> Iterator[tuple[int, str]]:
    """Rows as SQLite itself writes them, in less than half of the time that Python takes."""
    made = func.json_array(*(_json_value(column) for column in table.columns), type_=Text())
    statement = select(made).order_by(*table.primary_key.columns)
    result = connection.execution_options(yield_per=rows_at_once(table)).execute(statement)
    for lines in result.scalars().partitions():
        yield len(lines), "\n".join((*lines, ""))


def _json_value(column: Column[Any]) -> ColumnElement[Any]:
    plain = type_coerce(column, Text())
    if isinstance(column.type, DateTime):
        return func.substr(plain, 1, 10) + literal("T") + func.substr(plain, 12) + literal("+00:00")
    if isinstance(column.type, Boolean):
        return func.json(case((column.is_(true()), "true"), (column.is_(false()), "false")))
    return plain


def _rows(connection: Connection, table: Table) -> Iterator[tuple[int, str]]:
    is_sqlite = connection.dialect.name == "sqlite"
    times = [place for place, column in enumerate(table.columns) if isinstance(column.type, DateTime)]
    files = [place for place, column in enumerate(table.columns) if isinstance(column.type, LargeBinary)]
    # SQLite has days and times as text, which needs no parsing to be written as text.
    columns = [
        type_coerce(column, Text()) if is_sqlite and isinstance(column.type, Date | DateTime) else column
        for column in table.columns
    ]
    statement = select(*columns).order_by(*table.primary_key.columns)
    result = connection.execution_options(yield_per=rows_at_once(table)).execute(statement)
    for rows in result.partitions():
        lines = [list(row) for row in rows]
        for line in lines:
            if not is_sqlite:
                line[:] = map(as_text, line)
                continue
            for place in files:
                line[place] = as_text(line[place])
            for place in times:
                if line[place] is not None:
                    line[place] = f"{line[place][:10]}T{line[place][11:]}+00:00"
        yield len(lines), "".join(map(_line, lines))
