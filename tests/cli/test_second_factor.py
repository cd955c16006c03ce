"""Two-factor commands: a reset with a reason, and codes for development."""

import re

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import db
from panel.models import AuditLogEntry
from panel.services.accounts import two_factor
from panel.settings import Settings
from tests.support.factories import PASSWORD, a_customer, an_operator, logged_in, reload, with_second_factor


def run(app: Flask, *arguments: str) -> Result:
    db.session.rollback()
    return app.test_cli_runner().invoke(args=["users", *arguments])


def test_reset_takes_the_second_factor_off_and_leaves_a_line(app: Flask, client: FlaskClient) -> None:
    operator = an_operator()
    with_second_factor(operator)
    logged_in(client, operator)

    ended = run(app, "second-factor-reset", operator.email, "--reason", "Called back on the known number")

    assert (ended.exit_code, ended.stdout) == (0, "")
    assert "has no second factor now, and is logged out everywhere" in ended.stderr
    assert client.get("/account").status_code == 303
    log = client.post("/log-in", data={"email": operator.email, "password": PASSWORD})
    assert log.location == "/office"
    assert client.get("/office").location == "/account/second-factor?next=/office"
    line = db.session.query(AuditLogEntry).order_by(AuditLogEntry.id.desc()).first()
    assert line is not None
    assert (line.action, line.subject, line.detail) == (
        "second factor reset",
        f"customer {operator.id}",
        "Called back on the known number",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody@example.com", "--reason", "x"), "There is no account"),
        (("ada@example.com", "--reason", "x"), "doesn’t use two-factor authentication"),
        (("ada@example.com", "--reason", " "), "Write a reason"),
        (("ada@example.com",), "Missing option '--reason'"),
    ],
)
def test_reset_that_makes_no_sense_is_refused(app: Flask, arguments: tuple[str, ...], words: str) -> None:
    a_customer(email="ada@example.com")

    ended = run(app, "second-factor-reset", *arguments)

    assert ended.exit_code != 0 and words in ended.stderr
    assert db.session.query(AuditLogEntry).count() == 0


def test_code_for_trying_things_out_logs_in(app: Flask, client: FlaskClient) -> None:
    operator = an_operator()
    with_second_factor(operator)
    client.post("/log-in", data={"email": operator.email, "password": PASSWORD})

    code = run(app, "code", operator.email).stdout.strip()

    assert re.fullmatch(r"\d{6}", code)
    assert client.post("/log-in/second-factor", data={"code": code}).location == "/office"


def test_codes_are_for_their_owners_alone_in_production(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = an_operator()
    secret = with_second_factor(operator)
    settings: Settings = app.config["PANEL"]
    monkeypatch.setitem(app.config, "PANEL", settings.model_copy(update={"env": "production"}))

    ended = run(app, "code", operator.email)

    assert ended.exit_code == 1 and "refused with PANEL_ENV=production" in ended.stderr
    assert two_factor.code_at(secret, at=utc_now()) not in ended.output
    assert reload(operator).encrypted_totp


def test_demo_says_how_its_operator_gets_a_code(app: Flask, client: FlaskClient) -> None:
    db.session.rollback()
    output = app.test_cli_runner().invoke(args=["demo"]).output

    password = re.search(r"operator@example\.com  (\S+)", output)
    secret = re.search(r"otpauth://totp/\S+secret=([A-Z2-7]+)", output)
    assert password is not None and secret is not None and "flask users code operator@example.com" in output
    client.post("/log-in", data={"email": "operator@example.com", "password": password[1]})
    code = two_factor.code_at(secret[1], at=utc_now())
    assert client.post("/log-in/second-factor?next=/office", data={"code": code}).location == "/office"
    assert client.get("/office").status_code == 200
