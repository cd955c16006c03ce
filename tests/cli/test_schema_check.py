"""Schema check: commands refuse, in one line, a database whose tables are not those of this version."""

import pytest
from flask import Flask
from sqlalchemy import text

from panel.db import db

pytestmark = pytest.mark.both_engines


def refusal(app: Flask, *words: str) -> str:
    """Run a command that must be refused; returns its one line."""
    db.session.rollback()
    done = app.test_cli_runner().invoke(args=words)
    assert done.exit_code == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def execute(*statements: str) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.mark.parametrize("command", ["init", "worker", "audit", "export"])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("ALTER TABLE orders DROP COLUMN reason", "orders: column reason TEXT not null is missing"),
        ("ALTER TABLE orders ADD COLUMN colour TEXT", "orders: column colour TEXT is not known here"),
        ("DROP INDEX ix_orders_history", "orders: index ix_orders_history (customer_id, id) is missing"),
        ("DROP INDEX uq_transfers_settling", "transfers: unique index uq_transfers_settling (order_id, kind) where …"),
        ("DROP TABLE order_assignments", "order_assignments: column"),
    ],
)
def test_command_refuses_tables_that_differ(app: Flask, command: str, change: str, problem: str) -> None:
    execute(change)

    assert problem in refusal(app, command)


def test_commands_refuse_tables_that_forget_to_forbid_changes(app: Flask, engine: str) -> None:
    on_sqlite = "DROP TRIGGER transfers_no_update"
    execute(on_sqlite if engine == "sqlite" else "ALTER TABLE transfers DISABLE TRIGGER transfers_no_change")

    assert "transfers: trigger transfers_no_" in refusal(app, "audit")


def test_commands_refuse_a_check_that_is_gone_and_on_sqlite_one_with_another_text(app: Flask, engine: str) -> None:
    name = "ck_accounts_balance_not_negative"
    if engine == "sqlite":
        change = "UPDATE sqlite_master SET sql = replace(sql, 'balance_nanos >= 0', 'balance_nanos >= -1')"
        execute("PRAGMA writable_schema = ON", f"{change} WHERE name = 'accounts'", "PRAGMA writable_schema = OFF")
        db.engine.dispose()
    else:
        execute(f"ALTER TABLE accounts DROP CONSTRAINT {name}")

    text_there = " (balance_nanos >= 0)" if engine == "sqlite" else ""
    assert f"accounts: CHECK {name}{text_there} is missing" in refusal(app, "audit")


@pytest.mark.parametrize("command", ["init", "worker", "audit", "export"])
def test_command_refuses_a_revision_that_it_does_not_know(app: Flask, command: str) -> None:
    execute("UPDATE alembic_version SET version_num = '9876'")

    assert "revision 9876, which this version does not know" in refusal(app, command)


def test_audit_of_older_tables_says_what_to_run(app: Flask) -> None:
    execute("UPDATE alembic_version SET version_num = '0009'")

    assert "run flask init first" in refusal(app, "audit")


def test_audit_of_no_tables_says_what_to_run(app: Flask) -> None:
    execute("DROP TABLE alembic_version")

    assert "has no tables yet: run flask init first" in refusal(app, "audit")
