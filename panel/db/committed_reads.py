"""Reads without a session: a SELECT of what is committed, executed on a connection that only reads.

Opening and closing SQLAlchemy's session costs more than many a read. Such a read doesn't see what the session's own
transaction changes, so it is for pages, not for what decides about money.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from flask import current_app
from sqlalchemy import Select

from panel.db import db
from panel.db.compiled_statements import CompiledStatement
from panel.db.read_only import Reader, read_lock, reader

EXTENSION = "panel.committed_reads"


class CommittedRead:
    """One statement with named parameters. `make` builds it on first use."""

    def __init__(self, make: Callable[[], Select[Any]]) -> None:
        self._make = make
        self._in_session = CompiledStatement(make)

    def fetch(self, values: Mapping[str, object]) -> Sequence[Sequence[Any]]:
        """The rows. If they can't be read so, the session reads them, or raises what is wrong."""
        read, lock = self._reader()
        with lock:
            rows = read(values)
        return self._in_session.fetch(values) if rows is None else rows

    def _reader(self) -> tuple[Reader, AbstractContextManager[object]]:
        readers: dict[CommittedRead, tuple[Reader, AbstractContextManager[object]]]
        readers = current_app.extensions.setdefault(EXTENSION, {})
        found = readers.get(self)
        if found is None:
            found = readers[self] = reader(db.engine, self._make()), read_lock(db.engine)
        return found
