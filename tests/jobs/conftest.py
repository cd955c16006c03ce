"""A hostile provider for the jobs' tests, known to the panel as `upstream`."""

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.hostile import Hostile, hostile_provider, provider_at


@pytest.fixture
def server(app: Flask) -> Iterator[Hostile]:
    app.config["PANEL"] = app.config["PANEL"].model_copy(update={"provider_timeout_seconds": 1.0})
    with hostile_provider() as server:
        provider_at(server.url, settings=app.config["PANEL"])
        yield server
