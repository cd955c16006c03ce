"""Rate limits in a real Redis: shared by all processes, and in memory while Redis is down."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from panel.application import create_app
from panel.security import rate_limits
from tests.conftest import Client
from tests.support import databases
from tests.support.api_clients import Caller, a_key
from tests.support.factories import a_customer
from tests.support.private_servers import PrivateServer

MOST = 3


@pytest.fixture
def web(app: Flask, tmp_path: Path, redis_server: PrivateServer) -> Iterator[list[Flask]]:
    """Two machines on one database and one Redis."""
    found = []
    for _ in range(2):
        settings = databases.settings_for(
            tmp_path / "instance", limits_url=redis_server.url, api_requests_a_minute=MOST
        )
        one = create_app(settings)
        one.test_client_class = Client
        found.append(one)
    yield found
    redis_server.start()
    for one in found:
        databases.close(one)


def test_machines_count_together(web: list[Flask]) -> None:
    key = a_key(a_customer())
    callers = [Caller(one.test_client(), key) for one in web]

    codes = [callers[number % 2].post("balance").status_code for number in range(MOST + 1)]

    assert codes == [200] * MOST + [429]


def test_redis_outage_is_logged_once_and_each_machine_counts_separately(
    web: list[Flask], redis_server: PrivateServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "AWAY_SECONDS", 0.0)
    key = a_key(a_customer())
    one = web[0].test_client()
    assert Caller(one, key).post("balance").status_code == 200
    redis_server.stop()

    with caplog.at_level(logging.INFO):
        codes = [Caller(one, key).post("balance").status_code for _ in range(MOST + 1)]
        pages = [
            one.get(path, environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code for path in ("/healthz", "/tools")
        ]
        redis_server.start()
        again = Caller(one, a_key(a_customer())).post("balance").status_code

    assert codes == [200] * MOST + [429]
    assert pages == [200, 200]
    assert again == 200
    messages = [record.getMessage() for record in caplog.records if record.name == "panel.limits"]
    assert len(messages) == 2
    assert "their store is away" in messages[0]
    assert "in their store again" in messages[1]
