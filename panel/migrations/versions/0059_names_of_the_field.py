"""Tables and columns get the names that the field and the models use: deposits, endpoints, sessions, assignments.

SQLite can't rename a constraint, so there the tables are made again, from their own definition with the new names. None
of them has a trigger on SQLite; those of other tables are left as they are, and none mentions a name that changes.

Revision ID: 0059
Revises: 0058
Create Date: 2026-11-28 18:40:00

"""

import re
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

# Tables whose own name, columns or constraints change; each after those that it refers to.
TABLES = ("top_ups", "proposals", "receivers", "deliveries", "sign_ins", "half_sign_ins", "claims")
# Parts of their names, and of the names of their columns, constraints, indexes, triggers and sequences.
PARTS = {
    "top_up": "deposit",
    "receivers": "webhook_endpoints",
    "receiver_id": "endpoint_id",
    "sealed_": "encrypted_",
    "half_sign_ins": "pending_sessions",
    "sign_ins": "sessions",
    "signed_in_at": "logged_in_at",
    "claims": "order_assignments",
    "claimed_at": "assigned_at",
}
COLUMNS = (
    ("users", "sealed_totp", "encrypted_totp"),
    ("providers", "sealed_key", "encrypted_key"),
    ("mails", "is_sealed", "is_encrypted"),
    ("audit_log", "act", "action"),
)
# The kind of a proposal is a value with the old name.
KIND_BEFORE, KIND_AFTER = "top_up", "deposit"


def upgrade() -> None:
    for table, before, after in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {before} TO {after}")
    _rename_tables(TABLES, _renamer(PARTS), KIND_BEFORE, KIND_AFTER)


def downgrade() -> None:
    renamed = _renamer(PARTS)
    back = _renamer({after: before for before, after in PARTS.items()})
    _rename_tables([renamed(table) for table in TABLES], back, KIND_AFTER, KIND_BEFORE)
    for table, before, after in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {after} TO {before}")


def _renamer(parts: dict[str, str]) -> Callable[[str], str]:
    pattern = re.compile("|".join(sorted(parts, key=len, reverse=True)))
    return lambda text: pattern.sub(lambda found: parts[found[0]], text)


def _rename_tables(tables: Sequence[str], renamed: Callable[[str], str], old_kind: str, new_kind: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        _make_again(tables, renamed, f"replace(kind, '{old_kind}', '{new_kind}')")
        return
    checks = _kind_checks(old_kind)
    for name in checks:
        op.execute(f"ALTER TABLE proposals DROP CONSTRAINT {name}")
    op.execute(f"UPDATE proposals SET kind = '{new_kind}' WHERE kind = '{old_kind}'")
    for table in tables:
        _rename_parts(table, renamed)
    for name, definition in checks.items():
        op.execute(f"ALTER TABLE proposals ADD CONSTRAINT {renamed(name)} {renamed(definition)}")


def _make_again(tables: Sequence[str], renamed: Callable[[str], str], kind: str) -> None:
    """On SQLite: new tables first, then their rows, then the old tables, those that refer to others before these."""
    # All definitions before the first renaming: SQLite rewrites the references of others with it.
    definitions = {table: _definitions(table) for table in tables}
    before = {table: f"{table}_before" for table in tables}
    for table in tables:
        for index in _texts(
            "SELECT name FROM sqlite_master WHERE tbl_name = :table AND type = 'index' AND sql IS NOT NULL", table
        ):
            op.execute(f"DROP INDEX {index}")
        op.rename_table(table, before[table])
        for definition in definitions[table]:
            op.get_bind().exec_driver_sql(renamed(definition))
    for table in tables:
        columns = _texts("SELECT name FROM pragma_table_info(:table)", before[table])
        names = ", ".join(renamed(column) for column in columns)
        values = ", ".join(kind if (table, column) == ("proposals", "kind") else column for column in columns)
        op.execute(f"INSERT INTO {renamed(table)} ({names}) SELECT {values} FROM {before[table]}")
    for table in reversed(tables):
        op.drop_table(before[table])


def _definitions(table: str) -> list[str]:
    """The table's own, then those of its indexes."""
    of_it = "FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL"
    return _texts(f"SELECT sql {of_it} ORDER BY type = 'index'", table)


def _rename_parts(table: str, renamed: Callable[[str], str]) -> None:
    """On PostgreSQL: the table, and whatever of it has a name."""
    renames = (
        ("SELECT attname FROM pg_attribute WHERE attrelid = cast(:table AS regclass) AND attnum > 0", "COLUMN"),
        ("SELECT conname FROM pg_constraint WHERE conrelid = cast(:table AS regclass)", "CONSTRAINT"),
    )
    for names, what in renames:
        for name in _changed(names, table, renamed):
            op.execute(f"ALTER TABLE {table} RENAME {what} {name} TO {renamed(name)}")
    indexes = "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = :table"
    for name in _changed(indexes, table, renamed):
        op.execute(f"ALTER INDEX {name} RENAME TO {renamed(name)}")
    triggers = "SELECT tgname FROM pg_trigger WHERE tgrelid = cast(:table AS regclass) AND NOT tgisinternal"
    for name in _changed(triggers, table, renamed):
        op.execute(f"ALTER TRIGGER {name} ON {table} RENAME TO {renamed(name)}")
    sequences = (
        "SELECT relname FROM pg_class JOIN pg_depend ON objid = pg_class.oid AND classid = 'pg_class'::regclass "
        "WHERE refobjid = cast(:table AS regclass) AND relkind = 'S'"
    )
    for name in _changed(sequences.replace("::", r"\:\:"), table, renamed):
        op.execute(f"ALTER SEQUENCE {name} RENAME TO {renamed(name)}")
    if renamed(table) != table:
        op.rename_table(table, renamed(table))


def _kind_checks(kind: str) -> dict[str, str]:
    """PostgreSQL's CHECKs of `proposals` that mention this kind: they are made again around the change of the rows."""
    checks = sa.text(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = cast('proposals' AS regclass) AND contype = 'c'"
    )
    return {name: definition for name, definition in op.get_bind().execute(checks) if f"'{kind}'" in definition}


def _changed(statement: str, table: str, renamed: Callable[[str], str]) -> list[str]:
    return [name for name in _texts(statement, table) if renamed(name) != name]


def _texts(statement: str, table: str) -> list[str]:
    return list(op.get_bind().execute(sa.text(statement), {"table": table}).scalars())
