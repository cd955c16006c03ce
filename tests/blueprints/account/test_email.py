"""Email pages: confirming it after sign-up, changing it with both links."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db, transaction
from panel.models import EmailLink, Mail, ThrottleHit, User
from panel.security import encryption
from panel.services.accounts import users
from tests.support.factories import PASSWORD, a_customer, logged_in, reload


def link(app: Flask, kind: str) -> str:
    db.session.rollback()
    ciphertext = db.session.scalars(select(Mail.text).where(Mail.kind == kind).order_by(Mail.id.desc())).first()
    assert ciphertext is not None
    found = re.search(r"https?://[^/]+(/\S+-email/\S+)", encryption.decrypt(ciphertext, settings=app.config["PANEL"]))
    assert found is not None
    return found[1]


def signed_up(client: FlaskClient, email: str = "new@example.com") -> User:
    assert client.post("/sign-up", data={"email": email, "password": PASSWORD}).status_code == 303
    user = users.find_by_email(email)
    assert user is not None
    return user


def test_every_page_asks_to_confirm_the_email_until_it_is_confirmed(app: Flask, client: FlaskClient) -> None:
    user = signed_up(client)
    address = link(app, "confirm_email")

    assert "not confirmed yet" in client.get("/tools").text
    page = app.test_client().get(address)
    assert reload(user).email_confirmed_at is None, "opening the page must confirm nothing"
    done = app.test_client().post(address)

    assert "new@example.com" in page.text
    assert "Your email is confirmed" in done.text
    assert "not confirmed yet" not in client.get("/tools").text
    for again in (app.test_client().get(address), app.test_client().post(address)):
        assert again.status_code == 200 and "Your email is confirmed" in again.text


def test_an_unconfirmed_account_can_use_everything_else(client: FlaskClient) -> None:
    signed_up(client)

    for page in ("/orders", "/orders/new", "/balance", "/account", "/account/notices"):
        assert client.get(page).status_code == 200


def test_an_unconfirmed_address_gets_the_link_once_an_hour(client: FlaskClient) -> None:
    signed_up(client)

    soon = client.post("/account/email/confirmation")
    pass_the_time(timedelta(minutes=61))
    later = client.post("/account/email/confirmation")

    assert (soon.status_code, later.status_code) == (429, 303)
    assert 3_500 < int(soon.headers["Retry-After"]) <= 3_600
    assert "send another link in 60 minutes" in soon.text
    assert [mail.kind for mail in db.session.scalars(select(Mail))] == ["confirm_email"] * 2


def test_an_address_is_asked_to_confirm_a_change_once_an_hour(client: FlaskClient) -> None:
    logged_in(client, a_customer())
    form = {"email": "stranger@example.com", "current_password": PASSWORD}

    answers = [client.post("/account/email", data=form) for _ in range(2)]
    other = client.post("/account/email", data=form | {"email": "mine@example.com"})
    of_its_owner = logged_in(client, a_customer()).post("/account/email", data=form)

    assert [answer.status_code for answer in (*answers, other)] == [303, 429, 303]
    assert of_its_owner.status_code == 303, "what a stranger asked for must not keep its owner from an address"


def pass_the_time(span: timedelta) -> None:
    """Move all throttle counts and mails this far into the past."""
    with transaction():
        for row in (*db.session.scalars(select(EmailLink)), *db.session.scalars(select(ThrottleHit))):
            if isinstance(row, EmailLink):
                row.made_at -= span
            else:
                row.at -= span


def test_an_email_is_changed_with_the_password_and_both_links(app: Flask, client: FlaskClient) -> None:
    user = a_customer(email="old@example.com")
    logged_in(client, user)

    refused = client.post("/account/email", data={"email": "new@example.com", "current_password": "wrong"})
    asked = client.post("/account/email", data={"email": "new@example.com", "current_password": PASSWORD})
    assert (refused.status_code, asked.status_code) == (422, 303)
    assert 'value="new@example.com"' in refused.text
    assert "not opened yet" in client.get("/account/email").text

    stranger = app.test_client()
    old, new = link(app, "change_email_old"), link(app, "change_email_new")
    assert "old@example.com" not in stranger.get(new).text, "a mistyped address must not learn the account's email"
    assert "Now open the link we sent to the other address" in stranger.post(new).text
    assert "opened <time" in client.get("/account/email").text
    assert "Your email is changed" in stranger.post(old).text

    assert reload(user).email == "new@example.com"
    assert client.get("/account/email").status_code == 200, "the device stays logged in"
    assert stranger.post("/log-in", data={"email": "new@example.com", "password": PASSWORD}).status_code == 303


def test_an_address_that_was_taken_in_between_is_reported(app: Flask, client: FlaskClient) -> None:
    user = a_customer(email="old@example.com")
    logged_in(client, user).post("/account/email", data={"email": "new@example.com", "current_password": PASSWORD})
    client.post(link(app, "change_email_old"))
    signed_up(app.test_client(), "new@example.com")

    answer = client.post(link(app, "change_email_new"))

    assert answer.status_code == 409
    assert reload(user).email == "old@example.com"


def test_changing_to_an_address_with_an_account_looks_the_same(client: FlaskClient) -> None:
    other = a_customer()
    pages = []
    for email in (other.email, "free@example.com"):
        logged_in(client, a_customer()).post("/account/email", data={"email": email, "current_password": PASSWORD})
        page = client.get("/account/email").text
        me = re.search(r"account ([^ ]+@example\.com)", page)
        assert me is not None
        text = page.replace(email, "EMAIL").replace(me[1], "ME")
        pages.append(re.sub(r'<input type="hidden"[^>]*>|<time.*?</time>', "", text))

    assert pages[0] == pages[1]


@pytest.mark.parametrize("path", ["/confirm-email/", "/change-email/"])
def test_unknown_links_say_that_they_no_longer_work(client: FlaskClient, path: str) -> None:
    for answer in (client.get(f"{path}{'x' * 43}"), client.post(f"{path}{'x' * 43}")):
        assert answer.status_code == 410
        assert answer.headers["Cache-Control"] == "no-store"


def test_pages_of_the_email_are_the_accounts_own(client: FlaskClient) -> None:
    for answer in (
        client.get("/account/email"),
        client.post("/account/email"),
        client.post("/account/email/confirmation"),
    ):
        assert (answer.status_code, answer.location.split("?")[0]) == (303, "/log-in")


def test_a_hostile_address_is_shown_as_text(client: FlaskClient) -> None:
    logged_in(client, a_customer())

    refused, taken = (
        client.post("/account/email", data={"email": email, "current_password": PASSWORD})
        for email in ("<b>x</b>@example.com", "x&lt{{7*7}}'@example.com")
    )

    assert (refused.status_code, taken.status_code) == (422, 303)
    assert "&lt;b&gt;x&lt;/b&gt;@example.com" in refused.text and "<b>x</b>" not in refused.text
    assert "x&amp;lt{{7*7}}&#39;@example.com" in client.get("/account/email").text


def test_an_account_made_by_command_counts_as_confirmed() -> None:
    assert a_customer().email_confirmed_at is not None
