"""Data export and closing an account, as a browser sees them."""

import csv
import io
import json
import re
import zipfile
from typing import Any

import pytest
from flask import Flask, current_app
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Mail, Ticket, TicketEntry, User
from panel.services.accounts import two_factor
from panel.services.api import keys as api_keys
from panel.services.api import webhook_endpoints
from panel.services.api.keys import NewKey
from panel.services.money import deposits
from panel.services.privacy import data_export
from tests.support.factories import (
    NOON,
    PASSWORD,
    a_customer,
    an_operator,
    an_order,
    logged_in,
    reload,
    with_second_factor,
)

HOSTILE = '=HYPERLINK("http://evil.example","{{ 7*7 }}<script>")'


def archive(client: FlaskClient) -> dict[str, str]:
    answer = client.get("/account/data.zip")
    assert answer.status_code == 200 and answer.content_type == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as found:
        assert found.testzip() is None
        return {name: found.read(name).decode() for name in found.namelist()}


def everything(client: FlaskClient) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(archive(client)["everything.json"])
    return found


def a_full_customer() -> tuple[User, list[str]]:
    """A customer with a row in every table, and all of their secrets."""
    user = a_customer("100", email="ada@example.com")
    settings = current_app.config["PANEL"]
    with transaction():
        key = api_keys.make(user.id, asked=NewKey(HOSTILE), now=NOON)
        shown = webhook_endpoints.add(
            user.id, url="https://ada.example/hook", balance_low_nanos=None, settings=settings, now=NOON
        )
        endpoint_secret = shown.secret
        deposits.request_deposit(user.id, amount_nanos=25 * 10**9, now=NOON)
        times = {"waits_since": NOON, "opened_at": NOON, "last_at": NOON}
        ticket = Ticket(
            customer_id=user.id, request_id="form-1", kind="other", subject=HOSTILE, state="closed", version=2, **times
        )
        mail = {"kind": "reset", "user_id": user.id, "email": user.email, "subject": "Reset", "queued_at": NOON}
        db.session.add_all([ticket, Mail(key="reset:1", text="a link that acts", is_encrypted=True, **mail)])
        db.session.flush()
        for number, (kind, text) in enumerate([("message", "Hello"), ("note", "Among operators")], start=1):
            entry = {"author_id": user.id, "is_ours": kind == "note", "text": text, "at": NOON}
            db.session.add(TicketEntry(ticket_id=ticket.id, number=number, kind=kind, **entry))
    secret = with_second_factor(user)
    with transaction():
        codes = two_factor.new_recovery_codes(user.id, now=utc_now())
    an_order(customer=user, status=Status.PARTIAL, price="0.90", link="https://example.com/page-1")
    user = reload(user)
    return user, [
        user.password_hash,
        user.encrypted_totp,
        secret,
        *codes,
        key.text,
        endpoint_secret,
        "a link that acts",
    ]


def test_archive_holds_everything_of_theirs_and_no_secret(client: FlaskClient) -> None:
    user, secrets = a_full_customer()
    logged_in(client, user, second_factor=True)

    files = archive(client)

    found = json.loads(files["everything.json"])
    assert {f"{name}.csv" for name in found} == set(files) - {"everything.json"}
    assert found["account"][0]["email"] == "ada@example.com" and found["account"][0]["second_factor"] == "on"
    [order] = found["orders"]
    assert (order["status"], order["charge"], order["returned"]) == ("Partial", "0.90", "0.45")
    assert found["order_events"][0]["kind"] == "placed"
    assert [(line["kind"], line["out"], line["in"]) for line in found["statement"]] == [
        ("deposit", None, "100.00"),
        ("charge", "0.90", None),
        ("return", None, "0.45"),
    ]
    assert [message["text"] for message in found["ticket_messages"]] == ["Hello"]
    for name in ("log_ins", "deposits", "tickets", "api_keys", "webhook_endpoints", "webhooks", "mails"):
        assert found[name], name
    text = "\n".join(files.values())
    assert not [secret for secret in secrets if secret in text]
    assert "token_hash" not in text and "key_hash" not in text and "Among operators" not in text


def test_tables_open_in_a_spreadsheet_as_text_and_say_the_same_as_the_json(client: FlaskClient) -> None:
    user, _secrets = a_full_customer()
    logged_in(client, user, second_factor=True)

    files = archive(client)

    assert not re.search(r'(^|,)"?=', files["tickets.csv"] + files["api_keys.csv"], re.MULTILINE)
    for name, rows in json.loads(files["everything.json"]).items():
        table = list(csv.DictReader(io.StringIO(files[f"{name}.csv"])))
        assert len(table) == len(rows), name
        for line, row in zip(table, rows, strict=True):
            plain = {key: "" if value is None else str(value) for key, value in row.items()}
            assert {key: value.removeprefix("'") for key, value in line.items()} == plain


def test_nothing_of_another_customer_is_in_it(client: FlaskClient) -> None:
    a_full_customer()
    stranger = a_customer("7", email="grace@example.com")
    logged_in(client, stranger)

    files = archive(client)

    assert "ada" not in "\n".join(files.values())
    assert {name: len(rows) for name, rows in json.loads(files["everything.json"]).items() if rows} == {
        "account": 1,
        "log_ins": 1,
        "statement": 1,
    }


def test_long_tables_come_in_batches_and_whole(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_export, "ROWS_AT_ONCE", 3)
    user = a_customer("100")
    numbers = [an_order(customer=user, quantity=10 + number).id for number in range(7)]
    logged_in(client, user)

    assert [order["number"] for order in everything(client)["orders"]] == numbers


def close(client: FlaskClient, **form: str) -> TestResponse:
    return client.post("/account/closing", data={"current_password": PASSWORD} | form)


def test_closing_logs_out_says_so_and_leaves_no_way_back(client: FlaskClient, app: Flask) -> None:
    user = a_customer("0")
    email = user.email
    other = logged_in(app.test_client(), user)
    logged_in(client, user)
    assert "Nothing. You have no orders in progress" in client.get("/account/closing").text

    answer = close(client)

    assert (answer.status_code, answer.location) == (303, "/")
    assert "Your account is closed." in client.get("/").text
    assert client.get("/account").status_code == other.get("/account").status_code == 303
    for typed in (email, reload(user).email):
        assert client.post("/log-in", data={"email": typed, "password": PASSWORD}).status_code == 422


def test_closing_takes_password_and_code(client: FlaskClient) -> None:
    user = a_customer("0")
    secret = with_second_factor(user)
    logged_in(client, user, second_factor=True)
    assert 'name="code"' in client.get("/account/closing").text

    assert close(client, current_password="wrong").status_code == 422
    assert close(client).status_code == 422
    assert close(client, code="000000").status_code == 422
    assert reload(user).closed_at is None
    assert close(client, code=two_factor.code_at(secret, at=utc_now())).status_code == 303


def test_each_reason_against_closing_is_explained(client: FlaskClient) -> None:
    user = a_customer("1.00")
    an_order(customer=user, quantity=100, price="1")
    logged_in(client, user)

    page = client.get("/account/closing").text

    assert "1 of your orders is still in progress" in page and "$0.90 is on your balance" in page
    assert "Close account permanently" not in page
    answer = close(client)
    assert answer.status_code == 409 and "Some of your orders still move" in answer.text


def test_rest_of_a_balance_is_given_up_as_it_was_shown(client: FlaskClient) -> None:
    user = a_customer("0.03")
    logged_in(client, user)
    page = client.get("/account/closing").text
    assert "I give up the $0.03 on my balance" in page and 'name="balance" value="30000000"' in page

    assert close(client, balance="30000000").status_code == 409
    assert close(client, balance="20000000", give_up="yes").status_code == 409
    assert close(client, balance="x", give_up="yes").status_code == 422
    assert close(client, balance="30000000", give_up="yes").status_code == 303


def test_operator_learns_that_their_account_is_not_closed_here(client: FlaskClient) -> None:
    logged_in(client, an_operator())

    assert "can't be closed here" in client.get("/account/closing").text
    assert close(client).status_code in (409, 422)


@pytest.mark.parametrize("path", ["/account/data", "/account/data.zip", "/account/closing"])
def test_pages_are_private(client: FlaskClient, path: str) -> None:
    assert client.get(path).location.startswith("/log-in")
    logged_in(client, a_customer())

    assert client.get(path).headers["Cache-Control"] == "no-store"
