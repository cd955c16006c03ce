"""Schema dump in the engine's own words: equal dumps mean equal schemas, on the same engine.

`panel.db.schema_check` compares names and columns; this also compares defaults, the text of every CHECK, the
conditions of partial indexes and the bodies of triggers.
"""

import re
from collections.abc import Iterator

from sqlalchemy import Connection, inspect, text

ON_POSTGRESQL = (
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = current_schema()::regnamespace AND contype <> 'n'",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT '', proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace",
)
ON_SQLITE = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"


def described(connection: Connection, *, with_triggers: bool = True) -> set[str]:
    """One line per column, constraint, index and trigger, independent of their order."""
    lines = {_as_line(*row) for row in _definitions(connection)} | set(_columns(connection))
    if connection.dialect.name == "sqlite":
        lines |= set(_constraints_of_sqlite(connection))
    return {line for line in lines if with_triggers or not re.search("CREATE TRIGGER|CREATE OR REPLACE FUNCTION", line)}


def _definitions(connection: Connection) -> Iterator[tuple[str, str, str]]:
    for statement in (ON_SQLITE,) if connection.dialect.name == "sqlite" else ON_POSTGRESQL:
        for table, name, definition in connection.execute(text(statement)):
            if table != "alembic_version":
                yield table, name, definition


def _columns(connection: Connection) -> Iterator[str]:
    for (_schema, table), columns in inspect(connection).get_multi_columns().items():
        for column in columns if table != "alembic_version" else ():
            kind = column["type"].compile(dialect=connection.dialect)
            yield _as_line(table, column["name"], kind, column["nullable"], column["default"])


def _constraints_of_sqlite(connection: Connection) -> Iterator[str]:
    inspector = inspect(connection)
    for table in inspector.get_table_names():
        if table != "alembic_version":
            for check in inspector.get_check_constraints(table):
                yield _as_line(table, check["name"], check["sqltext"])
            for unique in inspector.get_unique_constraints(table):
                yield _as_line(table, unique["name"], unique["column_names"])
            for key in inspector.get_foreign_keys(table):
                yield _as_line(table, key["name"], key["constrained_columns"], key["referred_table"])
            key_of_table = inspector.get_pk_constraint(table)
            yield _as_line(table, key_of_table["name"], key_of_table["constrained_columns"])


def _as_line(*parts: object) -> str:
    return re.sub(r"\s+", " ", " ".join(map(str, parts))).replace('"', "").strip()
