"""Online backup: a snapshot of all tables in one file, written atomically."""

import gzip
import json
import os
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from panel.db import db
from panel.domain.errors import ActionRefused
from panel.services.backups.file_format import FORMAT, KIND, as_text, revision_of, tables_of

ROWS_AT_ONCE = 1000
COMPRESSION = 6


def write(path: Path, *, now: datetime) -> int:
    """Write all rows to a new file with mode 600. Returns the number of rows. Raises Refused if the file exists."""
    if path.exists():
        raise ActionRefused(f"{path} is there already. Name a file that does not exist.")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=COMPRESSION) as packed:
                count = 0
                for line in _lines(now=now):
                    packed.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
                    count += isinstance(line, list)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a hard link never overwrites an existing file.
        os.link(part, path)
    except FileExistsError:
        raise ActionRefused(f"{path} is there already. Name a file that does not exist.") from None
    except FileNotFoundError:
        raise ActionRefused(f"There is no folder {path.parent}.") from None
    finally:
        part.unlink(missing_ok=True)
    return count


def _lines(*, now: datetime) -> Iterator[dict[str, Any] | list[Any]]:
    engine = db.engine
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    # One read transaction for all tables, so the backup is consistent. On SQLite (WAL) writers continue.
    with engine.connect() as connection:
        yield {"kind": KIND, "format": FORMAT, "made_at": now.isoformat(), "revision": revision_of(connection)}
        count = 0
        for table in tables_of(connection):
            yield {"table": table.name, "columns": [column.name for column in table.columns]}
            for row in _rows(connection, table):
                yield [as_text(value) for value in row]
                count += 1
        yield {"rows": count}


def _rows(connection: Connection, table: Table) -> Iterator[Any]:
    statement = select(table).order_by(*table.primary_key.columns)
    yield from connection.execution_options(yield_per=ROWS_AT_ONCE).execute(statement)
