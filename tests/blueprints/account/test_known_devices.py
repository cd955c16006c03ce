"""Known devices: strangers can't lock out a browser that has logged in before, and the cookie alone gives no access."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from panel.models import User
from panel.services.accounts import throttles
from tests.blueprints.account.test_password_reset import NEW, ask, link
from tests.support.browsing import is_logged_in
from tests.support.factories import PASSWORD, a_customer, logged_in, with_second_factor
from tests.support.login_codes import WRONG, code, show_code, show_password

OTHER_NETWORK = {"REMOTE_ADDR": "198.51.100.7"}


def log_in(client: FlaskClient, user: User, password: str = PASSWORD) -> TestResponse:
    return client.post("/log-in", data={"email": user.email, "password": password})


def logged_in_before(client: FlaskClient, user: User) -> FlaskClient:
    log_in(client, user)
    client.post("/log-out")
    return client


def besieged(app: Flask, user: User) -> None:
    """Strangers in the owner's network have used up that network's tries."""
    stranger = app.test_client()
    for _ in range(13):
        last = log_in(stranger, user, "wrong password")
    assert last.status_code == 429


def test_device_that_has_logged_in_before_gets_in_whatever_strangers_try(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    logged_in_before(client, user)

    besieged(app, user)

    assert log_in(client, user).status_code == 303
    assert is_logged_in(client)


def test_owner_gets_in_from_another_network_on_a_new_device(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    besieged(app, user)

    form = {"email": user.email, "password": PASSWORD}
    answer = app.test_client().post("/log-in", data=form, environ_base=OTHER_NETWORK)

    assert answer.status_code == 303


def test_cookie_is_of_one_account_and_cannot_be_made_up(app: Flask, client: FlaskClient) -> None:
    mine, theirs = a_customer(), a_customer()
    logged_in_before(client, mine)
    besieged(app, theirs)

    assert log_in(client, theirs).status_code == 429
    forged = app.test_client()
    forged.set_cookie("device", f'{{"{theirs.id}":"x"}}.signature')
    assert log_in(forged, theirs).status_code == 429


def test_cookie_is_kept_from_scripts_and_opens_nothing(client: FlaskClient) -> None:
    user = a_customer()

    (cookie,) = [line for line in log_in(client, user).headers.getlist("Set-Cookie") if line.startswith("device=")]
    client.delete_cookie("session")

    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Max-Age=34560000" in cookie
    assert user.email not in cookie and not is_logged_in(client)


def test_browser_of_several_accounts_is_known_to_each(app: Flask, client: FlaskClient) -> None:
    users = [a_customer() for _ in range(3)]
    for user in users:
        logged_in_before(client, user)
    for user in users:
        besieged(app, user)

    for user in users:
        assert log_in(client, user).status_code == 303
        client.post("/log-out")


def test_browser_that_reset_the_password_is_known(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    ask(client, user.email)
    client.post(link(app), data={"password": NEW})

    besieged(app, user)

    assert log_in(client, user, NEW).status_code == 303


def test_password_is_changed_whatever_strangers_try(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    logged_in(client, user)
    besieged(app, user)

    changed = client.post("/account/password", data={"current_password": PASSWORD, "password": NEW})

    assert changed.location == "/account?done=password"


def test_codes_tried_by_strangers_leave_the_owners_device_alone(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    secret = with_second_factor(user)
    show_password(client, user)
    show_code(client, code(secret))
    client.post("/log-out")
    stranger = app.test_client()
    show_password(stranger, user)
    for _ in range(throttles.CODES_PER_ACCOUNT_AND_NETWORK + 1):
        last = show_code(stranger, WRONG)
    assert last.status_code == 429

    show_password(client, user)
    shown = show_code(client, code(secret, steps=1))

    assert shown.status_code == 303


@pytest.mark.parametrize("broken", ["", "x", "x.y.z", "\x00"])
def test_damaged_cookie_is_none(client: FlaskClient, broken: str) -> None:
    client.set_cookie("device", broken)

    assert log_in(client, a_customer()).status_code == 303


def test_sign_ups_beyond_the_limit_are_a_429_that_says_when(app: Flask) -> None:
    app.config["PANEL"].sign_ups_an_hour = 2

    answers = [
        app.test_client().post("/sign-up", data={"email": f"new-{n}@example.com", "password": PASSWORD})
        for n in range(3)
    ]

    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 3_600
    assert "Try again in 60 minutes." in answers[-1].text
    elsewhere = {"email": "new@example.net", "password": PASSWORD}
    assert app.test_client().post("/sign-up", data=elsewhere, environ_base=OTHER_NETWORK).status_code == 303


def test_pages_for_visitors_are_the_same_with_the_cookie_and_do_not_hold_it(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    logged_in_before(client, user)
    client.delete_cookie("session")
    assert client.get_cookie("device") is not None

    for path in ("/", "/faq", "/tools"):
        known, unknown = client.get(path), app.test_client().get(path)
        assert known.data == unknown.data, path
        assert "device=" not in str(known.headers) + str(unknown.headers)
