"""Complete schema: adds what an instance lacks that was made before revisions 0001 to 0009 got their final text.

Those files were changed after they had been committed, so an instance may stand at 0009 without some of what they
say today. Their text is pinned now. This revision runs each of them once more through an `op` that makes what is
missing and leaves the rest alone.

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-27 11:00:00

"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import context, op


# revision identifiers, used by Alembic.
revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

EARLIER = tuple(f"{number:04}" for number in range(1, 10))


def upgrade() -> None:
    operators_are_confirmed = "email_confirmed_at" in _columns("users")
    _rank_mails()
    _forbid_attempts_to_cancel()
    for earlier in EARLIER:
        module = context.script.get_revision(earlier).module
        whole, module.op = module.op, _OnlyMissing()
        try:
            module.upgrade()
        finally:
            module.op = whole
    if not operators_are_confirmed:
        op.execute("UPDATE users SET email_confirmed_at = created_at WHERE is_operator")


def downgrade() -> None:
    pass  # what was added belongs to 0001 to 0009


class _OnlyMissing:
    """Alembic's `op` as the earlier revisions use it, which makes only what is not there."""

    f = staticmethod(op.f)
    get_bind = staticmethod(op.get_bind)

    def create_table(self, name: str, *items: Any, **options: Any) -> None:
        if name not in _tables():
            op.create_table(name, *items, **options)
            return
        for column in items:
            if isinstance(column, sa.Column):
                self.add_column(name, column)

    def add_column(self, table: str, column: sa.Column[Any]) -> None:
        if column.name not in _columns(table):
            op.add_column(table, column)

    def create_index(self, name: str, table: str, columns: list[str], *, unique: bool = False, **where: Any) -> None:
        present = {index["name"]: index["column_names"] for index in sa.inspect(op.get_bind()).get_indexes(table)}
        if present.get(name) == columns:
            return
        if name in present:
            op.drop_index(name, table_name=table)
        op.create_index(name, table, columns, unique=unique, **where)

    @contextmanager
    def batch_alter_table(self, name: str, **_options: Any) -> Iterator["_OnlyMissingOf"]:
        yield _OnlyMissingOf(self, name)

    def execute(self, statement: str) -> None:
        """Triggers and PostgreSQL's function for them were complete from the first version of each file on."""
        for kind in ("CREATE TRIGGER ", "CREATE FUNCTION "):
            if statement.startswith(kind):
                name = statement.removeprefix(kind).split(" ")[0].partition("(")[0]
                if name not in _triggers_and_functions():
                    op.execute(statement)

    def bulk_insert(self, table: Any, rows: Any) -> None:
        """The first rows are there."""


class _OnlyMissingOf:
    """The same, inside `batch_alter_table` of one table."""

    f = staticmethod(op.f)

    def __init__(self, only_missing: _OnlyMissing, table: str) -> None:
        self._only_missing, self._table = only_missing, table

    def add_column(self, column: sa.Column[Any]) -> None:
        self._only_missing.add_column(self._table, column)

    def create_index(self, name: str, columns: list[str], **options: Any) -> None:
        self._only_missing.create_index(name, self._table, columns, **options)


def _rank_mails() -> None:
    """`mails.rank` has no default: what can be switched off (1) goes after the rest (0)."""
    if "mails" not in _tables() or "rank" in _columns("mails"):
        return
    rank = "CASE WHEN unsubscribe = '' THEN 0 ELSE 1 END"
    if op.get_bind().dialect.name == "sqlite":
        _make_again("mails", also={"rank": rank})
        return
    op.add_column("mails", sa.Column("rank", sa.BigInteger(), nullable=True))
    op.execute(f"UPDATE mails SET rank = {rank}")
    op.alter_column("mails", "rank", nullable=False)


def _forbid_attempts_to_cancel() -> None:
    """In its first minutes the table of attempts allowed a kind that no code ever wrote."""
    checks = sa.inspect(op.get_bind()).get_check_constraints("attempts")
    if not any("'cancel'" in check["sqltext"] for check in checks):
        return
    if op.get_bind().dialect.name == "sqlite":
        _make_again("attempts", also={})
        return
    op.drop_constraint(op.f("ck_attempts_kind"), "attempts", type_="check")
    op.create_check_constraint(op.f("ck_attempts_kind"), "attempts", "kind IN ('add', 'refill')")


def _make_again(table: str, *, also: dict[str, str]) -> None:
    """SQLite changes no constraints: the table is made anew by its own revision, and its rows are copied."""
    names = [column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)]
    for index in sa.inspect(op.get_bind()).get_indexes(table):
        op.drop_index(index["name"], table_name=table)
    op.rename_table(table, f"{table}_before")
    module = context.script.get_revision({"mails": "0004", "attempts": "0001"}[table]).module
    whole, module.op = module.op, _OnlyMissing()
    try:
        module.upgrade()
    finally:
        module.op = whole
    into, values = ", ".join([*names, *also]), ", ".join([*names, *also.values()])
    op.execute(f"INSERT INTO {table} ({into}) SELECT {values} FROM {table}_before")
    op.drop_table(f"{table}_before")


def _tables() -> list[str]:
    return sa.inspect(op.get_bind()).get_table_names()


def _columns(table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}


def _triggers_and_functions() -> set[str]:
    if op.get_bind().dialect.name == "sqlite":
        names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        names = (
            "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            "WHERE relnamespace = current_schema()::regnamespace "
            "UNION SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
        )
    return set(op.get_bind().execute(sa.text(names)).scalars())
