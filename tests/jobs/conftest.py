"""Fixtures for job tests: a hostile provider, registered as `upstream`, and another installation."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.support import databases
from tests.support.hostile_provider import HostileProvider, hostile_provider, provider_at
from tests.support.other_instance import installation


@pytest.fixture
def server(app: Flask) -> Iterator[HostileProvider]:
    app.config["PANEL"] = app.config["PANEL"].model_copy(update={"provider_timeout_seconds": 1.0})
    with hostile_provider() as server:
        provider_at(server.url, settings=app.config["PANEL"])
        yield server


@pytest.fixture
def elsewhere(app: Flask, engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """Another installation on an empty, migrated database of the same engine, with the keys of the first."""
    instance, url = tmp_path / "elsewhere", ""
    if engine == "sqlite":
        databases.copy_sqlite(request.getfixturevalue("sqlite_template"), instance)
    else:
        instance.mkdir()
        url = databases.copy_postgresql(server=request.getfixturevalue("postgresql_server"))
    other = installation(app, instance, database_url=url)
    yield other
    databases.close(other)
    if url:
        databases.drop_postgresql(url, server=request.getfixturevalue("postgresql_server"))
