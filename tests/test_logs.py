"""Logs: their content, and what they never contain."""

import json
import logging

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel import logs
from panel.logs import MASK, mask_secrets


def test_secrets_are_masked_by_name_however_deep() -> None:
    event = {
        "event": "sent",
        "password": "p",
        "api_key": "k",
        "resetToken": "t",
        "headers": {"Authorization": "Bearer x", "Cookie": "c", "Accept": "text/html"},
        "fields": [{"csrf_token": "t", "quantity": 5}],
        "keyset": "after-12",
    }

    masked = mask_secrets(None, "info", event)

    assert masked == {
        "event": "sent",
        "password": MASK,
        "api_key": MASK,
        "resetToken": MASK,
        "headers": {"Authorization": MASK, "Cookie": MASK, "Accept": "text/html"},
        "fields": [{"csrf_token": MASK, "quantity": 5}],
        "keyset": "after-12",
    }


def test_changes_are_logged_without_query_and_form(
    app: Flask, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    app.add_url_rule("/-/change", "change", lambda: "changed", methods=["POST"])
    logs.configure()

    answer = client.post("/-/change?key=hidden-in-query", data={"password": "hidden-in-form"})

    output = capsys.readouterr().err
    assert "hidden" not in output
    line = json.loads(output.splitlines()[-1])
    assert line["method"] == "POST"
    assert line["path"] == "/-/change"
    assert line["status"] == 200
    assert line["request_id"] == answer.headers["X-Request-ID"]


def test_other_libraries_write_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()

    logging.getLogger("some.library").warning("Disk is %s", "full")

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"]) == ("Disk is full", "warning")
