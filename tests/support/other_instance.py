"""A second installation for restored backups, and commands in either one."""

import shutil
from pathlib import Path

from click.testing import Result
from flask import Flask

from panel.application import create_app
from panel.db import db
from tests.support import databases


def installation(first: Flask, instance: Path, *, database_url: str = "") -> Flask:
    instance.mkdir(exist_ok=True)
    for key in ("seal_key", "secret_key"):
        if (first.config["PANEL"].instance / key).exists():
            shutil.copy(first.config["PANEL"].instance / key, instance / key)
    settings = databases.settings_for(instance, database_url=database_url, provider_timeout_seconds=20.0)
    other = create_app(settings)
    other.config.update(TESTING=True)
    return other


def run(app: Flask, *words: object) -> Result:
    db.session.rollback()
    return app.test_cli_runner().invoke(args=[str(word) for word in words])
