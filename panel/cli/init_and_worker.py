"""`flask init`, `flask worker` and `flask hub`: preparing the installation, background work, and push."""

import os
import sys

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from panel import assets
from panel import settings as settings_module
from panel import worker as work
from panel.blueprints.shared import template_loader
from panel.cli.errors import clean_errors
from panel.db import db, schema_check, write_turns
from panel.processes import supervisor
from panel.services import encryption_key
from panel.settings import Settings

SWITCH_SECONDS = 0.0005


@click.command("init")
@with_appcontext
def init() -> None:
    """Create the instance folder and secrets, migrate the database, fetch the scripts. Safe to repeat."""
    settings: Settings = current_app.config["PANEL"]
    settings_module.secret_key(settings)
    with clean_errors():
        schema_check.check_known(current_app.config["MIGRATIONS"])
    import flask_migrate

    flask_migrate.upgrade()
    with clean_errors():
        schema_check.check(current_app.config["MIGRATIONS"])
        encryption_key.check(settings)
    assets.fetch_htmx(settings)


@click.command("worker")
@click.option("--once", is_flag=True, help="Run each sweep once, then exit.")
@with_appcontext
def worker(once: bool) -> None:
    """Run the background jobs (dispatch, sync, timeouts and the rest) until stopped."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with clean_errors():
        schema_check.check(current_app.config["MIGRATIONS"])
        encryption_key.check(app.config["PANEL"])
    give_way(app)
    # PostgreSQL ends transactions that are idle while the sweeps run.
    db.session.rollback()
    if not once:
        template_loader.read_all(app)
        work.work(app)
    elif not work.run_once(app):
        raise click.ClickException("A sweep failed; the log says which.")


def give_way(app: Flask) -> None:
    """Let this process's transactions come after those of pages, and end soon while they hold locks."""
    write_turns.of_app(app).gives_way = True
    # A thread that holds locks otherwise waits 5 ms for each thread of ours that computes.
    sys.setswitchinterval(SWITCH_SECONDS)


@click.command("hub")
@with_appcontext
def hub() -> None:
    """Run the push hub, which tells open pages of changes, until stopped."""
    command = supervisor.hub_command(current_app.config["PANEL"])
    os.execv(command[0], command)  # noqa: S606
