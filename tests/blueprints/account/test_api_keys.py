"""API keys page: a key is shown once, in the response that creates it, and stops working when it is revoked."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db
from panel.models import ApiKey
from panel.services.api import keys as api_keys
from tests.support.api_clients import Caller, a_key
from tests.support.factories import NOON, a_customer, logged_in

KEY = re.compile(r"smm_[A-Za-z0-9_-]{43}")


def form_of(client: FlaskClient, **fields: str) -> dict[str, str]:
    """The page's form data as a browser sends it, with these fields filled in."""
    found = re.search(r'name="newest" value="(\d+)"', client.get("/account/keys").text)
    assert found is not None
    return {"newest": found[1], "name": "Shop", "networks": ""} | fields


def keys() -> list[ApiKey]:
    db.session.rollback()
    return list(db.session.scalars(select(ApiKey).order_by(ApiKey.id)))


def test_key_is_shown_once_and_works(client: FlaskClient) -> None:
    logged_in(client, a_customer("1.00"))

    made = client.post("/account/keys", data=form_of(client, networks="203.0.113.7, 127.0.0.0/8"))

    assert (made.status_code, made.headers["Cache-Control"]) == (200, "no-store")
    (key,) = KEY.findall(made.text)
    assert Caller(client, key).call("balance") == {"balance": "1.00", "currency": "USD"}
    (kept,) = keys()
    assert (kept.name, kept.networks, kept.starts_with) == ("Shop", "203.0.113.7/32 127.0.0.0/8", key[:10])
    assert kept.key_hash == api_keys.key_hash(key)
    assert key not in repr(vars(kept))
    page = client.get("/account/keys").text
    assert key not in page
    assert key[:10] in page
    assert "203.0.113.7/32 127.0.0.0/8" in page


def test_form_sent_again_makes_no_second_key_and_shows_none(client: FlaskClient) -> None:
    logged_in(client, a_customer())
    form = form_of(client)
    client.post("/account/keys", data=form)

    again = client.post("/account/keys", data=form)

    assert again.status_code == 409
    assert not KEY.search(again.text)
    assert len(keys()) == 1
    assert client.post("/account/keys", data={"name": "No number"}).status_code == 409


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "The name is missing"),
        ({"name": "x" * 61}, "at most 60 characters"),
        ({"name": "two\nlines"}, "on one line"),
        ({"networks": "203.0.113.7/24"}, "is no address and no network"),
        ({"networks": "203.0.113.300"}, "is no address and no network"),
        ({"networks": "localhost"}, "is no address and no network"),
        ({"networks": " ".join(f"10.0.0.{n}" for n in range(21))}, "at most 20 networks"),
        ({"networks": "<script>"}, "&lt;script&gt; is no address"),
    ],
)
def test_wrong_form_makes_no_key_and_keeps_what_was_typed(
    client: FlaskClient, fields: dict[str, str], words: str
) -> None:
    logged_in(client, a_customer())

    answer = client.post("/account/keys", data=form_of(client, **fields))

    assert answer.status_code == 422
    assert words in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert keys() == []


def test_twenty_keys_are_the_most(client: FlaskClient) -> None:
    customer = a_customer()
    for _ in range(20):
        a_key(customer)
    logged_in(client, customer)

    answer = client.post("/account/keys", data=form_of(client))

    assert answer.status_code == 409
    assert "Revoke one that you no longer use" in answer.text


def test_revoked_key_is_refused_at_once(client: FlaskClient) -> None:
    customer = a_customer()
    key, other = a_key(customer), a_key(customer, name="Other")
    logged_in(client, customer)
    assert "Never" in client.get("/account/keys").text
    Caller(client, key).call("balance")
    assert client.get("/account/keys").text.count("Never") == 1

    answer = client.post(f"/account/keys/{keys()[0].id}/revocation")

    assert answer.status_code == 303
    assert "The key is revoked" in client.get(answer.location).text
    assert Caller(client, key).call("balance") == {"error": "Invalid API key"}
    assert Caller(client, other).call("balance")["currency"] == "USD"
    assert client.post(f"/account/keys/{keys()[0].id}/revocation").status_code == 404


def test_keys_of_others_are_out_of_reach(client: FlaskClient) -> None:
    key = a_key(a_customer(), name="Secret shop")
    logged_in(client, a_customer())

    assert client.post(f"/account/keys/{keys()[0].id}/revocation").status_code == 404
    assert "Secret shop" not in client.get("/account/keys").text
    assert Caller(client, key).call("balance")["currency"] == "USD"


def test_keys_are_asked_for_after_log_in_only(client: FlaskClient, csrf: None) -> None:
    assert client.get("/account/keys").location == "/log-in?next=/account/keys"
    logged_in(client, a_customer())
    assert client.post("/account/keys", data={"name": "x"}).status_code == 403
    assert 'href="/account/keys"' in client.get("/account").text
    page = client.get("/account/keys")
    assert 'content="noindex"' in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_command_prints_the_key_alone(app: Flask, client: FlaskClient) -> None:
    customer = a_customer("2.00")

    done = app.test_cli_runner().invoke(args=["users", "api-key", customer.email.upper(), "--network", "127.0.0.1"])

    assert done.exit_code == 0
    assert re.fullmatch(rf"{KEY.pattern}\n", done.stdout)
    assert Caller(client, done.stdout.strip()).call("balance")["balance"] == "2.00"
    for words in (["nobody@example.com"], [customer.email, "--network", "x"]):
        refused = app.test_cli_runner().invoke(args=["users", "api-key", *words])
        assert (refused.exit_code, refused.stdout) == (1, "")


def test_two_keys_are_never_alike() -> None:
    customer = a_customer()

    made = {a_key(customer) for _ in range(20)}

    assert len(made) == 20
    assert all(KEY.fullmatch(key) for key in made)
    assert keys()[0].made_at > NOON


def test_read_only_key_reads_but_places_cancels_and_refills_nothing(client: FlaskClient) -> None:
    customer = a_customer("10.00")
    logged_in(client, customer)

    made = client.post("/account/keys", data=form_of(client, scope="read"))

    caller = Caller(client, KEY.findall(made.text)[0])
    assert caller.call("balance")["balance"] == "10.00"
    for action, fields in {
        "add": {"service": 1, "link": "https://example.com/a", "quantity": 100},
        "cancel": {"orders": "1"},
        "refill": {"order": "1"},
    }.items():
        answer = caller.post(action, **fields)
        assert answer.get_json() == {"error": "API key is read-only"}
        assert answer.headers["X-Error-Code"] == "read_only_key"
    assert "Read only" in client.get("/account/keys").text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"daily_cap": "0"}, "A cap of 0 would allow no order"),
        ({"daily_cap": "ten"}, "Write an amount in digits"),
        ({"daily_cap": "-1"}, "Write an amount in digits"),
        ({"scope": "everything"}, "Choose what the key may do"),
    ],
)
def test_wrong_cap_or_scope_makes_no_key(client: FlaskClient, fields: dict[str, str], words: str) -> None:
    logged_in(client, a_customer())

    answer = client.post("/account/keys", data=form_of(client, **fields))

    assert answer.status_code == 422
    assert words in answer.text
    assert keys() == []
