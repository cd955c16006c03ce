"""Rows of a backup that SQLite writes as JSON itself are those that Python would write."""

import json
from collections.abc import Iterable

import pytest
from flask import Flask

from panel.db import db, transaction
from panel.models import User
from panel.services.backups import dump
from panel.services.backups.file_format import tables_of
from tests.support.factories import an_order

HARD = 'quote " and \' \\ slash / tab\t line\n bell\x07 del\x7f é 日本 🙂 \u2028 \u00a0 </script> {"a": [1]}'


@pytest.mark.demo
def test_sqlite_writes_each_row_as_python_would(app: Flask) -> None:
    an_order()
    with transaction():
        user = db.session.query(User).order_by(User.id).first()
        assert user is not None
        user.disabled_reason = HARD

    with db.engine.connect() as connection:
        tables = [table for table in tables_of(connection) if dump._is_plain(table)]
        written = {table.name: _values(dump._rows_as_json(connection, table)) for table in tables}
        expected = {table.name: _values(dump._rows(connection, table)) for table in tables}

    assert written == expected
    assert sum(map(len, expected.values())) > 1_000
    assert {"orders", "transfers", "events", "users"} <= expected.keys()


def _values(pieces: Iterable[tuple[int, str]]) -> list[object]:
    found: list[object] = []
    for count, text in pieces:
        lines = text.removesuffix("\n").split("\n")
        assert len(lines) == count
        found += map(json.loads, lines)
    return found
