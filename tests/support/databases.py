"""Fresh databases, fast: one is migrated in each run and copied for every test.

Tables are append-only, so nothing can be emptied between tests; a copy costs a few milliseconds.
"""

import fcntl
import functools
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url

from panel import settings as settings_module
from panel.application import create_app
from panel.db import db
from panel.settings import Settings

TEMPLATE = f"template_{secrets.token_hex(4)}"
FIRST_WITH_STRATEGIES = 150_000
DATABASE = "panel.db"


def settings_for(instance: Path, *, database_url: str = "", **given: object) -> Settings:
    """Settings without an `.env` file. Those of most tests differ in the database alone."""
    if given or database_url.startswith("sqlite") or not instance.is_absolute():
        return settings_module.load(instance=instance, database_url=database_url, _env_file=None, **given)
    environment = tuple(sorted(item for item in os.environ.items() if item[0].startswith(("PANEL_", "DATABASE_"))))
    return _ordinary_settings(environment).model_copy(update={"instance": instance, "database_url": database_url})


@functools.cache
def _ordinary_settings(_environment: tuple[tuple[str, str], ...]) -> Settings:
    return settings_module.load(instance=Path(), database_url="", _env_file=None)


def write_secret_key(settings: Settings) -> None:
    """The key that the app would create, without waiting for the disk."""
    settings.instance.mkdir(parents=True, exist_ok=True)
    path = settings.instance / "secret_key"
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(48))


def close(app: Flask) -> None:
    """Close every connection of an app."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def _migrate(settings: Settings) -> None:
    app = create_app(settings)
    with app.app_context():
        flask_migrate.upgrade()
    close(app)


def made_once(name: str, folders: pytest.TempPathFactory, make: Callable[[Path], Path]) -> Path:
    """A database file that the first process of this run makes in a folder, and the others use."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make(folders.mktemp(name))
    folder = folders.getbasetemp().parent / name
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_made = folder / "is_made"
        if not is_made.exists():
            make(folder)
            is_made.touch()
    return folder / DATABASE


def make_sqlite_template(folder: Path) -> Path:
    """A migrated database file, closed."""
    _migrate(settings_for(folder))
    return folder / DATABASE


def make_demo_template(template: Path, folder: Path) -> Path:
    """A database file with the demo in it, closed; `template` is the migrated one."""
    copy_sqlite(template, folder)
    app = create_app(settings_for(folder))
    ended = app.test_cli_runner().invoke(args=["demo"])
    assert ended.exit_code == 0, ended.output
    close(app)
    return folder / DATABASE


def copy_sqlite(template: Path, instance: Path) -> None:
    instance.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template, instance / DATABASE)


def write_without_waiting_for_the_disk(engine: Engine) -> None:
    """Let SQLite's commits return before they are on disk, since tests don't lose power."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")


def make_postgresql_template(folder: Path, *, server: str) -> None:
    """A migrated database on the server, to be copied by `copy_postgresql`."""
    _on_server(server, f"CREATE DATABASE {TEMPLATE}")
    _migrate(settings_for(folder, database_url=_named(server, TEMPLATE)))


def copy_postgresql(*, server: str) -> str:
    """Create a copy of the template; returns its URL."""
    # Since PostgreSQL 15 the default copies through the WAL, which takes twice as long here.
    strategy = "STRATEGY FILE_COPY" if _version(server) >= FIRST_WITH_STRATEGIES else ""
    return create_postgresql(server=server, options=f"TEMPLATE {TEMPLATE} {strategy}")


def create_postgresql(*, server: str, options: str = "") -> str:
    """Create a database on the server; returns its URL. It is empty unless `options` says otherwise."""
    name = f"panel_{secrets.token_hex(6)}"
    _on_server(server, f"CREATE DATABASE {name} {options}")
    return _named(server, name)


def drop_postgresql(url: str, *, server: str) -> None:
    _on_server(server, f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")


def drop_postgresql_template(*, server: str) -> None:
    """The last that is asked of the server: its connections are closed."""
    _on_server(server, f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
    _connections(server).dispose()


def _named(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _on_server(server: str, statement: str) -> None:
    with _connections(server).connect() as connection:
        connection.execute(text(statement))


@functools.cache
def _version(server: str) -> int:
    with _connections(server).connect() as connection:
        return int(connection.scalar(text("SHOW server_version_num")) or 0)


@functools.cache
def _connections(server: str) -> Engine:
    return create_engine(server, isolation_level="AUTOCOMMIT")
