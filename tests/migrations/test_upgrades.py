"""Upgrades: from any revision, in any of its versions, to the newest schema."""

from datetime import UTC, datetime
from pathlib import Path

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import Connection, DateTime, bindparam, text

from panel.db import Base, db, schema_check
from tests.migrations import historic_schemas
from tests.migrations.described import described
from tests.migrations.empty import empty_installation

pytestmark = pytest.mark.both_engines

HISTORIC = historic_schemas.TREES | historic_schemas.UPGRADED


@pytest.mark.parametrize("commits", HISTORIC.values(), ids=HISTORIC)
def test_every_historic_schema_comes_to_the_newest(
    commits: tuple[str, ...], app: Flask, tmp_path: Path, database_url: str
) -> None:
    with db.engine.connect() as connection:
        newest = described(connection)
    with empty_installation(tmp_path / "old", like=database_url):
        with db.engine.connect() as connection:
            historic_schemas.make(connection, commits)
            has = set(db.inspect(connection).get_table_names())
            columns = {column["name"] for column in db.inspect(connection).get_columns("users")}
            _fill(connection, with_mails="mails" in has)

        flask_migrate.upgrade()

        with db.engine.connect() as connection:
            assert described(connection) ^ newest == set()
            assert schema_check.differences(connection) == []
            assert _mails(connection) == ([("", 0), ("/notices/off", 1)] if "mails" in has else [])
            # Only operators, who were added by a command, count as confirmed if nothing was requested yet.
            asked_before = "email_confirmed_at" in columns
            assert _confirmed(connection) == ([] if asked_before else ["operator@example.com"])


def _fill(connection: Connection, *, with_mails: bool) -> None:
    """Insert rows into tables to which a later revision adds a column."""
    at = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
    values = {"at": at.replace(tzinfo=None) if connection.dialect.name == "sqlite" else at}
    for email, is_operator in (("customer@example.com", "false"), ("operator@example.com", "true")):
        columns = "email, password_hash, is_operator, state_version, created_at"
        insert = f"INSERT INTO users ({columns}) VALUES ('{email}', '', {is_operator}, 1, :at)"
        connection.execute(text(insert).bindparams(bindparam("at", type_=DateTime())), values)
    if with_mails:
        columns = "key, kind, email, subject, text, is_sealed, unsubscribe, queued_at, tries, error"
        has_rank = any(column["name"] == "rank" for column in db.inspect(connection).get_columns("mails"))
        for rank, unsubscribe in enumerate(("", "/notices/off")):
            row = f"'{rank}', 'notice', '', '', '', false, '{unsubscribe}', :at, 0, ''"
            also, of_it = (", rank", f", {rank}") if has_rank else ("", "")
            insert = f"INSERT INTO mails ({columns}{also}) VALUES ({row}{of_it})"
            connection.execute(text(insert).bindparams(bindparam("at", type_=DateTime())), values)
    connection.commit()


def _mails(connection: Connection) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in connection.execute(text("SELECT unsubscribe, rank FROM mails ORDER BY key"))]


def _confirmed(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT email FROM users WHERE email_confirmed_at IS NOT NULL")).scalars())


def test_models_make_the_tables_that_migrations_make(app: Flask, tmp_path: Path, database_url: str) -> None:
    with db.engine.connect() as connection:
        migrated = described(connection, with_triggers=False)
    with empty_installation(tmp_path / "models", like=database_url):
        with db.engine.begin() as connection:
            Base.metadata.create_all(connection)

            assert described(connection, with_triggers=False) ^ migrated == set()


def test_alembic_sees_no_difference_between_models_and_migrations(app: Flask) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, Base.metadata) == []
