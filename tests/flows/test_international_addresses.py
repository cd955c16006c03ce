"""International domain names work in Unicode and in Punycode, in every field for an address."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db
from panel.domain.errors import TooManyTries
from panel.models import Mail, User
from panel.services.accounts import throttles, users
from tests.blueprints.account.test_password_reset import NEW, ask, link
from tests.cli.test_commands import flask
from tests.support.browsing import is_logged_in
from tests.support.factories import NOON, PASSWORD, a_customer, an_operator, an_order, logged_in

OWN, ASCII = "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"


@pytest.mark.parametrize(("chosen", "typed"), [(OWN, ASCII), (ASCII, OWN)])
def test_sign_up_log_in_reset_and_commands_take_either_spelling(
    app: Flask, client: FlaskClient, chosen: str, typed: str
) -> None:
    assert app.test_client().post("/sign-up", data={"email": chosen, "password": PASSWORD}).status_code == 303

    twice = app.test_client().post("/sign-up", data={"email": typed, "password": PASSWORD})
    assert (twice.status_code, "There is an account with this email already." in twice.text) == (422, True)
    assert client.post("/log-in", data={"email": typed, "password": PASSWORD}).status_code == 303
    assert OWN in client.get("/account").text
    visitor = app.test_client()
    ask(visitor, typed)
    visitor.post(link(app), data={"password": NEW})
    assert visitor.post("/log-in", data={"email": typed, "password": NEW}).status_code == 303
    assert is_logged_in(visitor)
    for words in (
        ("users", "confirm", typed),
        ("users", "api-key", typed),
        ("balance", "add", typed, "5", "--note", "Paid."),
    ):
        done = flask(app, *words)
        assert done.exit_code in (0, 1) and "There is no account" not in done.stderr, words


def test_change_to_the_other_spelling_of_ones_own_email_is_none(client: FlaskClient) -> None:
    logged_in(client, a_customer(email=OWN))

    answer = client.post("/account/email", data={"email": ASCII, "current_password": PASSWORD})

    assert (answer.status_code, "This is your email already." in answer.text) == (422, True)


def test_change_to_a_taken_email_in_another_spelling_mails_no_link(client: FlaskClient) -> None:
    a_customer(email=OWN)
    logged_in(client, a_customer())

    client.post("/account/email", data={"email": ASCII, "current_password": PASSWORD})

    assert "change_email_new" not in db.session.scalars(select(Mail.kind)).all()


@pytest.mark.parametrize("typed", [OWN, ASCII, "b\u00fccher", "xn--bcher-kva"])
def test_office_finds_a_customer_in_either_spelling(client: FlaskClient, typed: str) -> None:
    user = a_customer("10.00", email=OWN)
    an_order(customer=user)
    logged_in(client, an_operator())

    assert f"/office/customers/{user.id}" in client.get("/office/customers", query_string={"q": typed}).text
    if "@" in typed:
        assert client.get("/office/ledger", query_string={"customer": typed}).status_code == 200
        assert OWN in client.get("/office/orders", query_string={"customer": typed}).text


def test_both_spellings_have_one_count_of_tries() -> None:
    with pytest.raises(TooManyTries):
        for number in range(throttles.PASSWORDS_PER_ACCOUNT_AND_NETWORK + 1):
            throttles.count_log_in((OWN, ASCII)[number % 2], network="n", device=None, now=NOON)


def test_mail_goes_to_the_ascii_spelling() -> None:
    a_customer(email=ASCII)

    assert users.find_by_email(ASCII) is not None
    assert db.session.scalars(select(User.email)).all() == [OWN]
