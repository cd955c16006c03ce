"""Backup file format: gzipped JSON lines, the same for both engines.

A header with the migration revision; then each table's name and columns, followed by its rows as lists; finally the row
count, which a truncated file lacks.
"""

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zlib import error as BadStream

from sqlalchemy import Connection, Date, DateTime, LargeBinary, MetaData, Table, text
from sqlalchemy.types import TypeEngine

from panel.domain.errors import ActionRefused

FORMAT = 1
KIND = "panel backup"
REVISIONS = "alembic_version"
# Tables that triggers fill while other rows are restored, sums that the worker makes afterward, and stopped audits.
DERIVED = frozenset({"account_days", "audit_progress", "ledger_days", "profit_changes", "profit_days"})

# Called with the table's name, how many rows are done, and how many there are.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Head:
    """Header: creation time and migration revision."""

    made_at: str
    revision: str


@dataclass(frozen=True, slots=True)
class BackupRow:
    """A row with its table and columns."""

    table: str
    columns: tuple[str, ...]
    values: list[Any]


def tables_of(connection: Connection) -> list[Table]:
    """The database's tables in foreign key order, without the migration table and derived ones."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != REVISIONS and table.name not in DERIVED]


def rows_at_once(table: Table) -> int:
    """How many rows are in memory together: few of those that contain files."""
    return 10 if any(isinstance(column.type, LargeBinary) for column in table.columns) else 1000


def revision_of(connection: Connection) -> str | None:
    """The database's migration revision; None without tables."""
    if not connection.dialect.has_table(connection, REVISIONS):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {REVISIONS}")).scalar()  # noqa: S608
    return found


def as_text(value: Any) -> Any:
    """A value for JSON; datetimes are ISO 8601 in UTC, files are base64."""
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def as_value(value: Any, kind: TypeEngine[Any]) -> Any:
    """The inverse of `as_text`, by column type."""
    if value is not None and isinstance(kind, Date):
        return date.fromisoformat(value)
    if value is not None and isinstance(kind, LargeBinary):
        return base64.b64decode(value)
    if value is None or not isinstance(kind, DateTime):
        return value
    return datetime.fromisoformat(value)


def read_head(path: Path) -> Head:
    """Read the header. Raises Refused if the file isn't a backup or has another format version."""
    first = next(_lines(path), None)
    if not isinstance(first, dict) or first.get("kind") != KIND:
        raise ActionRefused(f"{path.name} is not a backup of this panel.")
    if first.get("format") != FORMAT:
        raise ActionRefused(f"{path.name} has form {first.get('format')}; this version reads form {FORMAT}.")
    return Head(str(first["made_at"]), str(first["revision"]))


def read_rows(path: Path) -> Iterator[BackupRow]:
    """Iterate over all rows. Raises Refused if the file is damaged or truncated, so check before writing."""
    lines, table, columns, count = _lines(path), "", (), 0  # type: tuple[Iterator[Any], str, tuple[str, ...], int]
    next(lines, None)
    for line in lines:
        if isinstance(line, list):
            if len(line) != len(columns):
                raise _damaged(path)
            count += 1
            yield BackupRow(table, columns, line)
        elif "table" in line:
            table, columns = line["table"], tuple(line["columns"])
        elif line.get("rows") == count:
            return
        else:
            raise _damaged(path)
    raise _damaged(path)


def count_rows(path: Path) -> int:
    """How many rows there are, once the whole file is read. Raises Refused if it is damaged or truncated.

    Rows are counted without being parsed: gzip's checksum says whether they are as they were written.
    """
    count = 0
    for line in _texts(path):
        if line.startswith("["):
            count += 1
        elif "table" not in (head := _parsed(line, path)) and "rows" in head:
            if head["rows"] == count:
                return count
            break
    raise _damaged(path)


def _lines(path: Path) -> Iterator[Any]:
    return (_parsed(line, path) for line in _texts(path))


def _parsed(line: str, path: Path) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ActionRefused(f"{path.name} cannot be read: {error}") from error


def _texts(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from file
    except FileNotFoundError:
        raise ActionRefused(f"There is no file {path}.") from None
    except (EOFError, BadStream, OSError, ValueError) as error:
        raise ActionRefused(f"{path.name} cannot be read: {error}") from error


def _damaged(path: Path) -> ActionRefused:
    return ActionRefused(f"{path.name} is damaged or was cut off. Nothing was restored.")
