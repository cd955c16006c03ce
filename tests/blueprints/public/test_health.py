"""/healthz, /readyz and /metrics."""

from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.services import health


def a_heartbeat(*, seconds_ago: float = 0) -> None:
    with transaction():
        health.beat("here-1", now=utc_now() - timedelta(seconds=seconds_ago))


def test_process_is_alive(client: FlaskClient) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_not_ready_without_a_worker(client: FlaskClient) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.text) == (503, "not ready: worker\n")


def test_not_ready_when_the_last_heartbeat_is_old(client: FlaskClient) -> None:
    a_heartbeat(seconds_ago=health.STALE_SECONDS + 1)

    assert client.get("/readyz").status_code == 503


def test_ready_with_a_worker(client: FlaskClient) -> None:
    a_heartbeat()
    a_heartbeat()

    answer = client.get("/readyz")

    assert (answer.status_code, answer.text) == (200, "ready\n")


def test_not_ready_before_its_migrations(client: FlaskClient) -> None:
    with transaction():
        db.session.execute(text("UPDATE alembic_version SET version_num = 'older'"))

    answer = client.get("/readyz")

    assert (answer.status_code, answer.text) == (503, "not ready: migrations\n")


def test_metrics_count_every_status(client: FlaskClient) -> None:
    a_heartbeat()

    lines = client.get("/metrics").text.splitlines()

    for status in Status:
        assert f'panel_orders{{status="{status}"}} 0' in lines
    assert "panel_open_reviews 0" in lines


def test_metrics_from_afar_need_the_token(app: Flask, client: FlaskClient) -> None:
    app.config["PANEL"].metrics_token = "open sesame"
    away = {"REMOTE_ADDR": "203.0.113.9"}

    without = client.get("/metrics", environ_base=away)
    wrong = client.get("/metrics", environ_base=away, headers={"Authorization": "Bearer wrong"})
    right = client.get("/metrics", environ_base=away, headers={"Authorization": "Bearer open sesame"})

    assert (without.status_code, wrong.status_code, right.status_code) == (404, 404, 200)
