"""Fixtures for all tests: an app on a fresh database, a client, an engine.

A test marked `both_engines` runs once on SQLite and once on PostgreSQL; the others run on SQLite. Tests are
inside the app's context unless their folder is named in WITHOUT_APP.
"""

import functools
import gc
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient

for name in [name for name in os.environ if name.startswith("PANEL_") and not name.startswith("PANEL_TEST_")]:
    del os.environ[name]
os.environ.pop("DATABASE_URL", None)
# Each of the hundreds of processes that tests start would compile the product again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
gc.disable()  # Until `shared_start.freeze`: what is imported and collected stays.

from panel.application import create_app
from panel.db import db
from tests.support import databases, groups, private_servers, servers, shared_start
from tests.support.repeats import repetitions

TESTS = Path(__file__).parent
WITHOUT_APP = {"domain", "rules", "browser", "bench", "processes"}
ENGINES = ("sqlite", "postgresql")

hypothesis.settings.register_profile(
    "panel",
    max_examples=repetitions(50, long=1_000),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("panel")
shared_start.share()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("both_engines") is not None:
        metafunc.parametrize("engine", ENGINES, indirect=True)


pytest_ignore_collect = groups.ignore_all_but_alone
pytest_collection_modifyitems = groups.sort_and_mark
pytest_collection_finish = shared_start.freeze


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return databases.made_once("template", tmp_path_factory, databases.make_sqlite_template)


@pytest.fixture(scope="session")
def demo_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    make = functools.partial(databases.make_demo_template, sqlite_template)
    return databases.made_once("demo", tmp_path_factory, make)


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A temporary server with a migrated template, or the server in PANEL_TEST_POSTGRES."""
    try:
        servers.postgresql()
    except servers.NotInstalled as error:
        if "PANEL_TEST_POSTGRES" not in os.environ:
            servers.skip_or_fail(str(error))
    given = os.environ.get("PANEL_TEST_POSTGRES")
    with nullcontext(given) if given else private_servers.postgresql_server() as url:
        databases.make_postgresql_template(tmp_path_factory.mktemp("template"), server=url)
        yield url
        databases.drop_postgresql_template(server=url)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[private_servers.PrivateServer]:
    with private_servers.private_redis() as server:
        yield server


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture
def database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, migrated database of the test's engine; empty for the SQLite file in `tmp_path / "instance"`."""
    if engine == "sqlite":
        is_demo = request.node.get_closest_marker("demo") is not None
        template = request.getfixturevalue("demo_template" if is_demo else "sqlite_template")
        databases.copy_sqlite(template, tmp_path / "instance")
        yield ""
        return
    server = request.getfixturevalue("postgresql_server")
    url = databases.copy_postgresql(server=server)
    yield url
    databases.drop_postgresql(url, server=server)


@pytest.fixture
def app(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The site on a fresh database, with its context pushed. Threads push their own context."""
    settings = databases.settings_for(tmp_path / "instance", database_url=database_url)
    databases.write_secret_key(settings)
    app = create_app(settings)
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    app.test_client_class = Client
    try:
        with app.app_context():
            shared_start.share_statements(db.engine)
            if request.node.get_closest_marker("durable") is None:
                databases.write_without_waiting_for_the_disk(db.engine)
            yield app
    finally:
        databases.close(app)


@pytest.fixture(autouse=True)
def _inside_the_app(request: pytest.FixtureRequest, engine: str) -> None:
    if request.path.relative_to(TESTS).parts[0] not in WITHOUT_APP:
        request.getfixturevalue("app")


class Client(FlaskClient):
    """Each request has its own context and database session; the test's session is expired afterwards."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        db.session.rollback()
        kwargs.setdefault("buffered", True)
        with self.application.app_context():
            return super().open(*args, **kwargs)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def csrf(app: Flask) -> None:
    """Turn CSRF protection on, as in production."""
    app.config["WTF_CSRF_ENABLED"] = True
