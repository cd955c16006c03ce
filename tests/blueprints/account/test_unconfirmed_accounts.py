"""Unconfirmed accounts on pages and in the API: clear refusals, and a link to confirm the email."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import db
from panel.models import ApiKey, Order, WebhookEndpoint
from panel.services.accounts import two_factor, users
from panel.services.api import webhook_endpoints
from tests.blueprints.account.test_email import link, pass_the_time, signed_up
from tests.blueprints.account.test_password_reset import NEW, ask
from tests.blueprints.account.test_password_reset import link as reset_link
from tests.cli.test_commands import flask
from tests.services.accounts.test_email_confirmation import URL, add_endpoint, unconfirmed
from tests.support.api_clients import Caller, a_key
from tests.support.factories import LINK, a_customer, a_tool, an_order, logged_in, reload


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/account/keys", {"name": "Shop", "newest": "0"}),
        ("/account/webhooks", {"url": URL}),
        ("/account/second-factor", {}),
    ],
)
def test_pages_say_what_is_missing_and_send_the_link_again(
    client: FlaskClient, path: str, form: dict[str, str]
) -> None:
    signed_up(client)

    page = client.get(path)

    assert page.status_code == 200
    assert "Confirm your email first" in page.text
    found = re.search(r'<form method="post" action="(/account/email/confirmation)">', page.text)
    assert found is not None and "Send the link again" in page.text
    assert f'action="{path}"' not in page.text, "a form that will be refused must not be offered"
    pass_the_time(timedelta(hours=1))
    assert client.post(found[1]).status_code == 303
    if form:
        answer = client.post(path, data=form)
        assert (answer.status_code, "Confirm your email first" in answer.text) == (403, True)
    assert (db.session.query(ApiKey).count(), db.session.query(WebhookEndpoint).count()) == (0, 0)


def test_pages_open_once_the_email_is_confirmed(app: Flask, client: FlaskClient) -> None:
    signed_up(client)

    client.post(link(app, "confirm_email"))

    for path in ("/account/keys", "/account/webhooks", "/account/second-factor"):
        page = client.get(path).text
        assert f'action="{path}"' in page and "Confirm your email first" not in page


def test_second_factor_sent_for_anyway_is_refused(app: Flask, client: FlaskClient) -> None:
    user = unconfirmed(a_customer())
    logged_in(client, user)
    secret = two_factor.new_secret()
    offer = two_factor.encrypt_offer(secret, user_id=user.id, settings=app.config["PANEL"])
    code = two_factor.code_at(secret, at=utc_now())

    form = {"offer": offer, "code": code, "current_password": "seven green lanterns"}
    answer = client.post("/account/second-factor", data=form)

    assert (answer.status_code, "Confirm your email first" in answer.text) == (403, True)
    assert not two_factor.is_enabled(user.id)


@pytest.mark.both_engines
def test_api_places_no_order_until_the_email_is_confirmed(app: Flask, client: FlaskClient) -> None:
    tool = a_tool()
    user = a_customer("10.00")
    earlier = an_order(customer=user, tool=tool)
    unconfirmed(user)
    made = flask(app, "users", "api-key", user.email)
    assert made.exit_code == 0 and "is not confirmed" in made.stderr
    caller = Caller(client, made.stdout.strip())
    order = {"service": tool.id, "link": LINK, "quantity": 100}

    refused = caller.post("add", **order)

    assert refused.get_json() == {"error": "Email not confirmed"}
    assert refused.headers["X-Error-Code"] == "email_not_confirmed"
    assert "error" not in caller.call("status", order=earlier.id)
    assert flask(app, "users", "confirm", user.email).exit_code == 0
    assert caller.call("add", **order) == {"order": earlier.id + 1}
    assert db.session.query(Order).count() == 2


def test_reset_names_keys_and_webhooks_and_ends_those_that_are_ticked(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    key = a_key(user, name="Corner shop")
    add_endpoint(app, user)
    ask(client, user.email)
    address = reset_link(app)

    page = client.get(address).text
    short = client.post(address, data={"password": "short", "end_keys": "yes"})
    done = client.post(address, data={"password": NEW, "end_keys": "yes"})

    assert "Corner shop" in page and key[:10] in page and key not in page and URL in page
    assert "checked" not in page
    assert re.search(r'name="end_keys"[^>]* checked', short.text), "what was ticked stays ticked"
    assert done.status_code == 303
    db.session.rollback()
    assert Caller(client, key).post("balance").get_json() == {"error": "Invalid API key"}
    assert len(webhook_endpoints.listed(user.id)) == 1


def test_reset_of_an_unconfirmed_account_says_that_all_ends(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    a_key(user, name="Corner shop")
    add_endpoint(app, user)
    unconfirmed(user)
    ask(client, user.email)
    address = reset_link(app)

    page = client.get(address).text
    client.post(address, data={"password": NEW})

    assert "every API key" in page and "Corner shop" in page and URL in page
    assert 'name="end_keys"' not in page
    db.session.rollback()
    assert webhook_endpoints.listed(user.id) == []
    assert db.session.query(ApiKey).filter(ApiKey.revoked_at.is_(None)).count() == 0


def test_operator_confirms_an_email_in_the_office_with_a_reason(office: FlaskClient) -> None:
    user = unconfirmed(a_customer())
    address = f"/office/customers/{user.id}"
    assert f'action="{address}/email-confirmation"' in office.get(address).text

    refused = office.post(f"{address}/email-confirmation", data={"reason": ""})
    done = office.post(f"{address}/email-confirmation", data={"reason": "Known by phone."})

    assert (refused.status_code, done.status_code) == (422, 303)
    assert reload(user).email_confirmed_at is not None
    page = office.get(address).text
    assert "Confirmed an email. Known by phone." in page and "email-confirmation" not in page
    assert office.post(f"{address}/email-confirmation", data={"reason": "Again."}).status_code == 409
    assert office.post("/office/customers/999999/email-confirmation", data={"reason": "x"}).status_code == 404


def test_command_confirms_an_email(app: Flask) -> None:
    user = unconfirmed(a_customer())

    done = flask(app, "users", "confirm", user.email)

    assert (done.exit_code, done.stdout) == (0, "")
    assert reload(user).email_confirmed_at is not None
    assert flask(app, "users", "confirm", user.email).exit_code == 1
    assert flask(app, "users", "confirm", "nobody@example.com").exit_code == 1


def test_accounts_made_by_command_are_confirmed(app: Flask) -> None:
    added = flask(app, "users", "add", "ada@example.com")

    assert added.exit_code == 0
    user = users.find_by_email("ada@example.com")
    assert user is not None and user.email_confirmed_at is not None
