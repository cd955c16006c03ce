"""Schema check: compares the tables of the database with the models.

Both sides become lines of the same form (a column with its type, an index with its columns, a constraint, a trigger),
and the difference of the two sets is reported. The text of a CHECK is compared on SQLite, which keeps it as written;
PostgreSQL rewrites it (`IN` becomes `= ANY (ARRAY[…])` with casts), so there, and for the condition of a partial index,
only the tests compare it.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    Dialect,
    ForeignKeyConstraint,
    Inspector,
    Table,
    UniqueConstraint,
    inspect,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from panel.db import APPEND_ONLY, NOTIFIES_HUB, SUMS_DAYS, Base, db
from panel.domain.errors import ActionRefused

REVISIONS = "alembic_version"
MAX_REPORTED = 3


def check(migrations: Path) -> None:
    """Raises Refused, in one line, unless the schema matches this version of the panel."""
    with db.engine.connect() as connection:
        applied = _applied(connection)
        if applied != newest_revision(migrations):
            raise ActionRefused(_why_not_newest(applied, migrations))
        found = differences(connection)
    if found:
        more = f" and {len(found) - MAX_REPORTED} more" if len(found) > MAX_REPORTED else ""
        listed = "; ".join(found[:MAX_REPORTED])
        raise ActionRefused(
            f"The tables of the database are not those of this version: {listed}{more}. Restore a backup."
        )


def check_known(migrations: Path) -> None:
    """Raises Refused if the database has a migration revision that this version doesn't know."""
    with db.engine.connect() as connection:
        applied = _applied(connection)
    if not applied <= _known(migrations):
        raise ActionRefused(_why_not_newest(applied, migrations))


def is_migrated(migrations: Path) -> bool:
    """Whether the database is at the newest revision that this code knows."""
    try:
        with db.engine.connect() as connection:
            return _applied(connection) == newest_revision(migrations)
    except SQLAlchemyError:
        return False


@cache
def newest_revision(migrations: Path) -> frozenset[str]:
    """The newest migration revision in this code."""
    from alembic.script import ScriptDirectory

    return frozenset(ScriptDirectory(str(migrations)).get_heads())


def differences(connection: Connection) -> list[str]:
    """Missing and unexpected parts of the schema, one line each; empty if it matches the models."""
    present, wanted = frozenset(_present(connection)), frozenset(_wanted(connection.dialect))
    lacking = [f"{line} is missing" for line in sorted(wanted - present)]
    return lacking + [f"{line} is not known here" for line in sorted(present - wanted)]


def _applied(connection: Connection) -> frozenset[str]:
    if not connection.dialect.has_table(connection, REVISIONS):
        return frozenset()
    return frozenset(connection.execute(text(f"SELECT version_num FROM {REVISIONS}")).scalars())  # noqa: S608


def _why_not_newest(applied: frozenset[str], migrations: Path) -> str:
    if not applied:
        return "The database has no tables yet: run flask init first."
    stands_at = ", ".join(sorted(applied))
    if applied <= _known(migrations):
        return f"The database stands at revision {stands_at}, this version needs a newer one: run flask init first."
    return f"The database stands at revision {stands_at}, which this version does not know: it is older than the data."


def _known(migrations: Path) -> frozenset[str]:
    from alembic.script import ScriptDirectory

    return frozenset(script.revision for script in ScriptDirectory(str(migrations)).walk_revisions())


def _wanted(dialect: Dialect) -> Iterator[str]:
    """The models, as lines."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            kind = column.type.compile(dialect=dialect)
            yield _column(table.name, column.name, kind, is_nullable=bool(column.nullable))
        yield f"{table.name}: primary key ({_names(table.primary_key.columns.keys())})"
        for constraint in table.constraints:
            match constraint:
                case CheckConstraint():
                    words = str(constraint.sqltext.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
                    yield _check(table.name, constraint.name, words, dialect=dialect)
                case UniqueConstraint():
                    yield f"{table.name}: unique ({_names(constraint.columns.keys())})"
                case ForeignKeyConstraint():
                    target = constraint.referred_table.name
                    yield f"{table.name}: reference ({_names(constraint.columns.keys())}) to {target}"
        for index in table.indexes:
            where = index.dialect_options[dialect.name]["where"]
            columns = _names(column.name for column in index.columns)
            yield _index(table.name, index.name, columns, is_unique=index.unique, is_partial=where is not None)
        yield from _wanted_triggers(table, dialect)


def _wanted_triggers(table: Table, dialect: Dialect) -> Iterator[str]:
    if table.info.get(APPEND_ONLY):
        for what in ("update", "delete") if dialect.name == "sqlite" else ("change",):
            yield f"{table.name}: trigger {table.name}_no_{what}"
    if table.info.get(NOTIFIES_HUB) and dialect.name == "postgresql":
        yield f"{table.name}: trigger {table.name}_notify_hub"
    for what in table.info.get(SUMS_DAYS, ()):
        yield f"{table.name}: trigger {table.name}_{what}"


def _present(connection: Connection) -> Iterator[str]:
    """The database, as lines."""
    inspector: Inspector = inspect(connection)
    for (_schema, table), columns in inspector.get_multi_columns().items():
        if table != REVISIONS:
            for column in columns:
                kind = column["type"].compile(dialect=connection.dialect)
                yield _column(table, column["name"], kind, is_nullable=column["nullable"])
    for table, key in _of(inspector.get_multi_pk_constraint()):
        yield f"{table}: primary key ({_names(key['constrained_columns'])})"
    for table, checks in _of(inspector.get_multi_check_constraints()):
        for constraint in checks:
            yield _check(table, constraint["name"], constraint["sqltext"], dialect=connection.dialect)
    for table, uniques in _of(inspector.get_multi_unique_constraints()):
        yield from (f"{table}: unique ({_names(constraint['column_names'])})" for constraint in uniques)
    for table, keys in _of(inspector.get_multi_foreign_keys()):
        for key in keys:
            yield f"{table}: reference ({_names(key['constrained_columns'])}) to {key['referred_table']}"
    for table, indexes in _of(inspector.get_multi_indexes()):
        for index in indexes:
            if "duplicates_constraint" not in index:
                is_partial = f"{connection.dialect.name}_where" in index.get("dialect_options", {})
                names = _names(name or "" for name in index["column_names"])
                yield _index(table, index["name"], names, is_unique=bool(index["unique"]), is_partial=is_partial)
    yield from _present_triggers(connection)


def _of(found: Any) -> Iterator[tuple[str, Any]]:
    for (_schema, table), value in found.items():
        if table != REVISIONS:
            yield table, value


def _present_triggers(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        triggers = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'"
    else:
        # A disabled trigger counts as missing.
        triggers = (
            "SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            "WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal AND tgenabled <> 'D'"
        )
    for table, name in connection.execute(text(triggers)):
        yield f"{table}: trigger {name}"


def _column(table: str, name: str, kind: str, *, is_nullable: bool) -> str:
    return f"{table}: column {name} {kind}{'' if is_nullable else ' not null'}"


def _check(table: str, name: object, words: str, *, dialect: Dialect) -> str:
    normalized = f" ({' '.join(words.replace(chr(34), '').split())})" if dialect.name == "sqlite" else ""
    return f"{table}: CHECK {name}{normalized}"


def _index(table: str, name: str | None, columns: str, *, is_unique: bool, is_partial: bool) -> str:
    return f"{table}: {'unique ' if is_unique else ''}index {name} ({columns}){' where …' if is_partial else ''}"


def _names(names: Any) -> str:
    return ", ".join(names)
