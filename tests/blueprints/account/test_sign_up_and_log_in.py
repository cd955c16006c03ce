"""Signing up, logging in and out, and the account page, as a browser sees them."""

import re

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from panel.clock import utc_now
from panel.db import transaction
from panel.models import User
from panel.services.accounts import sessions, users
from panel.services.money import ledger
from tests.support.browsing import is_logged_in
from tests.support.factories import PASSWORD, a_customer, logged_in, reload

NEW = {"email": "Ada@Example.com", "password": PASSWORD}
ANOTHER = "eight blue kettles"


def log_in(client: FlaskClient, user: User, password: str = PASSWORD, **form: str) -> TestResponse:
    return client.post("/log-in", data={"email": user.email, "password": password, **form})


def test_sign_up_opens_an_account_and_signs_in(client: FlaskClient) -> None:
    answer = client.post("/sign-up", data=NEW)

    assert (answer.status_code, answer.location) == (303, "/welcome")
    user = users.find_by_email("ada@example.com")
    assert user is not None and not user.is_staff
    assert ledger.balance_nanos(user.id) == 0
    assert "ada@example.com" in client.get("/account").text


def test_sign_up_ignores_what_it_did_not_ask_for(client: FlaskClient) -> None:
    client.post("/sign-up", data=NEW | {"is_staff": "1", "id": "77", "state_version": "9"})

    user = users.find_by_email("ada@example.com")
    assert user is not None and (user.is_staff, user.state_version) == (False, 1) and user.id != 77


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"email": "", "password": PASSWORD}, "The email is missing."),
        ({"email": "ada", "password": PASSWORD}, "This email is not complete."),
        ({"email": "ada@example.com", "password": "short"}, "at least 10 characters"),
        ({"email": "ada@example.com", "password": "x" * 201}, "at most 200 characters"),
        ({"email": "ada@example.com", "password": "password123"}, "on the lists that attackers try first"),
        ({}, "The email is missing."),
    ],
)
def test_bad_sign_up_says_what_is_wrong(client: FlaskClient, form: dict[str, str], words: str) -> None:
    answer = client.post("/sign-up", data=form)

    assert answer.status_code == 422
    assert words in answer.text
    assert users.find_by_email("ada@example.com") is None


def test_refused_sign_up_keeps_the_email_and_never_the_password(client: FlaskClient) -> None:
    answer = client.post("/sign-up", data={"email": '"><b>@example', "password": "nine tin"})

    assert 'value="&#34;&gt;&lt;b&gt;@example"' in answer.text
    assert "nine tin" not in answer.text


def test_sign_up_with_a_known_email_is_refused_and_leads_to_log_in(client: FlaskClient) -> None:
    a_customer(email="ada@example.com")

    answer = client.post("/sign-up", data=NEW | {"next": "/orders/new?tool=visits"})

    assert answer.status_code == 422
    assert "There is an account with this email already." in answer.text
    assert "/log-in?next=/orders/new?tool%3Dvisits" in answer.text
    assert not is_logged_in(client)


def test_log_in_goes_to_the_orders_and_the_email_may_be_typed_loosely(client: FlaskClient) -> None:
    user = a_customer(email="ada@example.com")

    answer = client.post("/log-in", data={"email": " ADA@example.com ", "password": PASSWORD})

    assert (answer.status_code, answer.location) == (303, "/orders")
    assert is_logged_in(client)
    assert user.email in client.get("/account").text


def test_wrong_password_and_unknown_email_get_the_same_answer(client: FlaskClient) -> None:
    known = a_customer()

    wrong = client.post("/log-in", data={"email": known.email, "password": ANOTHER})
    unknown = client.post("/log-in", data={"email": "nobody@example.com", "password": ANOTHER})

    assert wrong.status_code == unknown.status_code == 422
    # The layout shows the minute, and a form's token contains the second.
    answer, answer_to_unknown = (
        re.sub(r'name="csrf_token" value="[^"]+"', "", answer.text.partition("<main")[2]) for answer in (wrong, unknown)
    )
    assert answer.replace(known.email, "x") == answer_to_unknown.replace("nobody@example.com", "x")
    assert ANOTHER not in wrong.text
    assert not is_logged_in(client)


def test_log_in_without_a_field_says_which(client: FlaskClient) -> None:
    assert "The email is missing." in client.post("/log-in", data={"password": "x"}).text
    assert "The password is missing." in client.post("/log-in", data={"email": "ada@example.com"}).text


def test_eleventh_try_is_429_with_the_time_to_wait_even_with_the_right_password(client: FlaskClient) -> None:
    user = a_customer()
    for _ in range(10):
        assert log_in(client, user, ANOTHER).status_code == 422

    answer = log_in(client, user)

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert "There were too many tries." in answer.text
    assert not is_logged_in(client)
    assert log_in(client, a_customer()).status_code == 303


def test_log_in_renews_a_hash_of_other_parameters(client: FlaskClient) -> None:
    user = a_customer()
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with transaction():
        users.set_password(user.id, password_hash=weak)

    log_in(client, user)

    assert reload(user).password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert is_logged_in(client)


def test_device_logged_out_by_another_is_refused_at_its_next_request(client: FlaskClient, app: Flask) -> None:
    user = a_customer()
    other = app.test_client()
    log_in(client, user)
    log_in(other, user)
    assert is_logged_in(other)

    answer = client.post("/account/devices/log-out-elsewhere")

    assert answer.status_code == 303
    assert "All other devices are logged out." in client.get(answer.location).text
    assert not is_logged_in(other)
    assert is_logged_in(client)


def test_one_device_is_logged_out_alone(client: FlaskClient, app: Flask) -> None:
    user = a_customer()
    first, second = app.test_client(), app.test_client()
    for browser in (first, second, client):
        log_in(browser, user)
    first_id = min(device.id for device in sessions.devices(user.id, now=utc_now()))

    client.post(f"/account/devices/{first_id}/log-out")

    assert not is_logged_in(first)
    assert is_logged_in(second) and is_logged_in(client)


def test_logging_out_this_device_leads_to_log_in(client: FlaskClient) -> None:
    user = a_customer()
    log_in(client, user)
    (device,) = sessions.devices(user.id, now=utc_now())

    answer = client.post(f"/account/devices/{device.id}/log-out")

    assert answer.location == "/log-in"
    assert not is_logged_in(client)


def test_device_of_someone_else_is_not_found_and_stays(client: FlaskClient, app: Flask) -> None:
    stranger, their_browser = a_customer(), app.test_client()
    log_in(their_browser, stranger)
    (theirs,) = sessions.devices(stranger.id, now=utc_now())
    log_in(client, a_customer())

    assert client.post(f"/account/devices/{theirs.id}/log-out").status_code == 404
    assert is_logged_in(their_browser)


def test_account_lists_devices_by_name_and_network(client: FlaskClient) -> None:
    user = a_customer()
    client.post(
        "/log-in",
        data={"email": user.email, "password": PASSWORD},
        headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"},
        environ_base={"REMOTE_ADDR": "203.0.113.77"},
    )

    page = client.get("/account").text

    assert "Firefox on Linux" in page and "(this device)" in page
    assert "203.0.113.0/24" in page and "203.0.113.77" not in page
    assert "You’re not logged in on any other device." in page


def test_changing_the_password_signs_out_the_other_devices(client: FlaskClient, app: Flask) -> None:
    user = a_customer()
    other = app.test_client()
    log_in(client, user)
    log_in(other, user)

    answer = client.post("/account/password", data={"current_password": PASSWORD, "password": ANOTHER})

    assert answer.status_code == 303
    assert "Your password is changed." in client.get(answer.location).text
    assert not is_logged_in(other)
    assert log_in(other, user).status_code == 422
    assert log_in(other, user, ANOTHER).status_code == 303


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"current_password": ANOTHER, "password": ANOTHER}, "This is not your current password."),
        ({"current_password": PASSWORD, "password": "short"}, "at least 10 characters"),
        ({}, "This is not your current password."),
    ],
)
def test_refused_password_change_changes_nothing(client: FlaskClient, form: dict[str, str], words: str) -> None:
    user = a_customer()
    logged_in(client, user)
    before = user.password_hash

    answer = client.post("/account/password", data=form)

    assert answer.status_code == 422
    assert words in answer.text and ANOTHER not in answer.text
    assert reload(user).password_hash == before


def test_current_password_can_not_be_guessed_without_end(client: FlaskClient) -> None:
    logged_in(client, a_customer())
    for _ in range(10):
        client.post("/account/password", data={"current_password": "x", "password": ANOTHER})

    answer = client.post("/account/password", data={"current_password": PASSWORD, "password": ANOTHER})

    assert answer.status_code == 429 and "Retry-After" in answer.headers


@pytest.mark.parametrize("path", ["/sign-up", "/log-in", "/account"])
def test_pages_are_not_for_search_engines_or_caches(client: FlaskClient, path: str) -> None:
    if path == "/account":
        logged_in(client, a_customer())

    answer = client.get(path)

    assert '<meta name="robots" content="noindex">' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
