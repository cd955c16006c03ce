"""SQLite connections of the web server, the worker, commands and middleware: durable or read-only."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from panel import worker
from panel.db import db, transaction
from panel.db.read_only import reader
from panel.models import User
from tests.support.factories import a_customer, logged_in

pytestmark = pytest.mark.durable

# Required pragmas of every writing connection. FULL is 2: an acknowledged commit survives a power failure.
RIGHT = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def pragma_values() -> dict[str, object]:
    """The pragmas of this session's connection."""
    return {name: db.session.execute(text(f"PRAGMA {name}")).scalar() for name in RIGHT}


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, sqlite3.Connection]]]:
    """Collect every connection to a file that this process opens, by the name with which it is opened."""
    found: list[tuple[str, sqlite3.Connection]] = []
    connect = sqlite3.connect

    def noting(name: Any, *given: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(name, *given, **{**more, "check_same_thread": False})
        found.append((str(name), connection))
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", noting)
        patched.setattr(sqlite3.dbapi2, "connect", noting)
        yield found


def test_connections_of_web_requests_are_durable(app: Flask) -> None:
    pragmas: list[dict[str, object]] = []

    @app.get("/pragmas")
    def _collect() -> str:
        pragmas.append(pragma_values())
        return ""

    db.engine.dispose()
    together = threading.Barrier(4)

    def ask() -> None:
        with app.app_context():
            db.session.connection()
            together.wait(10)
            app.test_client().get("/pragmas")
            db.session.remove()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert pragmas == [RIGHT] * 4


def test_a_connection_is_durable_while_it_writes(app: Flask) -> None:
    with transaction():
        inside = pragma_values()

    assert inside == RIGHT


def test_connections_of_commands_are_durable(app: Flask) -> None:
    pragmas: list[dict[str, object]] = []

    @app.cli.command("pragmas")
    def _collect() -> None:
        pragmas.append(pragma_values())
        click.echo("done")

    db.session.remove()
    db.engine.dispose()

    done = app.test_cli_runner().invoke(args=["pragmas"])

    assert (done.exit_code, pragmas) == (0, [RIGHT])


def test_connections_of_the_worker_are_durable(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Covers each sweep of a single run, on its threads."""
    db.session.remove()
    db.engine.dispose()

    with opened(monkeypatch) as connections:
        assert worker.run_once(app)
        ours = [connection for name, connection in connections if "panel.db" in name and "mode=ro" not in name]
        assert ours
        for connection in ours:
            pragmas = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in RIGHT}
            assert pragmas == RIGHT
    db.engine.dispose()


def is_open(connection: sqlite3.Connection) -> bool:
    """Whether it is in use: those of rare reads are closed after each."""
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True


def test_connections_of_quick_reads_cannot_write(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = a_customer()

    with opened(monkeypatch) as connections:
        logged_in(client, customer).get("/orders")
        assert reader(db.engine, select(User.id))({}) == [(customer.id,)]
        quick = [connection for name, connection in connections if "mode=ro" in name and is_open(connection)]

        assert quick
        for connection in quick:
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                connection.execute("DELETE FROM users")
