"""A second installation whose database has no tables yet."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from panel.application import create_app
from tests.support import databases


@contextmanager
def empty_installation(instance: Path, *, like: str) -> Iterator[Flask]:
    """On the engine of the database `like`: a separate file, or a database on the same server."""
    url = databases.create_postgresql(server=like) if like else ""
    app = create_app(databases.settings_for(instance, database_url=url))
    try:
        with app.app_context():
            yield app
    finally:
        databases.close(app)
        if url:
            databases.drop_postgresql(url, server=like)
