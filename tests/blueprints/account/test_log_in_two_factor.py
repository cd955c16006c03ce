"""Two-factor log-in page: a code can't be bypassed, guessed or used twice."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.blueprints.shared.auth import PENDING_SESSION_KEY
from panel.clock import utc_now
from panel.db import db, transaction
from panel.models import LoginSession, PendingSession, User
from panel.services.accounts import sessions, two_factor, users
from tests.support.browsing import is_logged_in
from tests.support.factories import a_customer, an_operator, with_second_factor
from tests.support.login_codes import WRONG, code, found, show_code, show_password


@pytest.mark.parametrize("is_staff", [False, True])
def test_right_password_alone_makes_no_session(client: FlaskClient, is_staff: bool) -> None:
    user = an_operator() if is_staff else a_customer()
    with_second_factor(user)

    answer = show_password(client, user, next="/balance")

    assert (answer.status_code, answer.location) == (303, "/log-in/second-factor?next=/balance")
    assert db.session.query(LoginSession).count() == 0
    with client.session_transaction() as session:
        assert set(session) == {PENDING_SESSION_KEY}
    for path in ("/account", "/orders", "/balance", "/account/second-factor", "/account/keys", "/orders/live"):
        assert client.get(path).status_code in (303, 401), path
    assert client.get("/office").status_code == 404
    assert client.post("/orders", data={}).location.startswith("/log-in")
    assert client.post("/account/password", data={}).location.startswith("/log-in")


def test_code_after_the_password_signs_in_and_goes_where_one_wanted_to_go(client: FlaskClient) -> None:
    user = a_customer()
    secret = with_second_factor(user)
    show_password(client, user, next="/balance")
    assert 'name="next" value="/balance"' in client.get("/log-in/second-factor?next=/balance").text

    answer = show_code(client, code(secret), next="/balance")

    assert (answer.status_code, answer.location) == (303, "/balance")
    assert is_logged_in(client)
    with client.session_transaction() as session:
        assert PENDING_SESSION_KEY not in session
    assert db.session.query(PendingSession).count() == 0


def test_operator_with_code_is_in_the_office(client: FlaskClient) -> None:
    operator = an_operator()
    secret = with_second_factor(operator)
    show_password(client, operator)

    show_code(client, code(secret))

    assert client.get("/office").status_code == 200


def test_code_without_the_password_is_nothing(client: FlaskClient) -> None:
    secret = with_second_factor(a_customer())

    assert client.get("/log-in/second-factor?next=/orders").location == "/log-in?next=/orders"
    assert show_code(client, code(secret)).location == "/log-in"
    with client.session_transaction() as session:
        session[PENDING_SESSION_KEY] = "made up"
    assert show_code(client, code(secret)).location == "/log-in"
    with client.session_transaction() as session:
        session[PENDING_SESSION_KEY] = 7
    assert show_code(client, code(secret)).location == "/log-in"


def test_token_of_a_pending_session_is_no_token_of_a_session(client: FlaskClient) -> None:
    user = a_customer()
    with_second_factor(user)
    show_password(client, user)
    with client.session_transaction() as session:
        session[sessions.TOKEN_KEY] = session[PENDING_SESSION_KEY]

    assert not is_logged_in(client)


@pytest.mark.parametrize("wanted", ["//evil.example", "/log-in/second-factor", "/log-out", "https://evil.example/"])
def test_next_redirects_neither_to_other_sites_nor_in_a_loop(client: FlaskClient, wanted: str) -> None:
    user = a_customer()
    secret = with_second_factor(user)

    assert show_password(client, user, next=wanted).location == "/log-in/second-factor"
    assert show_code(client, code(secret), next=wanted).location == "/orders"


def test_wrong_code_is_422_and_the_sixth_try_429_even_when_right_and_after_the_password_again(
    client: FlaskClient,
) -> None:
    user = a_customer()
    secret = with_second_factor(user)
    show_password(client, user)
    for _ in range(5):
        answer = show_code(client, WRONG)
        assert answer.status_code == 422 and "This code is not right." in answer.text and WRONG not in answer.text

    show_password(client, user)
    answer = show_code(client, code(secret))

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert not is_logged_in(client)


def test_codes_are_counted_by_network_too(client: FlaskClient) -> None:
    for _ in range(10):
        user = a_customer()
        with_second_factor(user)
        show_password(client, user)
        for _ in range(5):
            show_code(client, WRONG)
    another = a_customer()
    secret = with_second_factor(another)
    show_password(client, another)

    assert show_code(client, code(secret)).status_code == 429


def test_recovery_code_signs_in_once_and_says_how_many_are_left(client: FlaskClient, app: Flask) -> None:
    user = a_customer()
    with_second_factor(user)
    with transaction():
        [recovery, *_] = two_factor.new_recovery_codes(user.id, now=utc_now())
    show_password(client, user)
    assert "Recovery code" in client.get("/log-in/second-factor?with=recovery-code").text

    answer = show_code(client, recovery)

    assert "9 of 10 are left" in client.get(answer.location).text
    second = app.test_client()
    show_password(second, user)
    assert show_code(second, recovery).status_code == 422


def test_changed_password_ends_a_pending_session(client: FlaskClient) -> None:
    user = a_customer()
    secret = with_second_factor(user)
    show_password(client, user)
    with transaction():
        users.set_password(user.id, password_hash=users.hash_password("another good one"))

    assert show_code(client, code(secret)).location == "/log-in"
    assert not is_logged_in(client)


def test_expired_form_of_the_code_changes_nothing(client: FlaskClient, csrf: None) -> None:
    user = a_customer()
    secret = with_second_factor(user)
    token = found(r'name="csrf_token" value="([^"]+)"', client.get("/log-in").text)
    show_password(client, user, csrf_token=token)

    again = show_code(client, code(secret))
    assert (again.status_code, "This form was too old" in again.text) == (403, True)
    token = found(r'name="csrf_token" value="([^"]+)"', again.text)
    assert show_code(client, code(secret), csrf_token=token).status_code == 303


def test_disabled_account_is_reported_before_the_code_and_only_with_the_password(client: FlaskClient) -> None:
    user = a_customer()
    with_second_factor(user)
    with transaction():
        db.session.get_one(User, user.id).disabled_at = utc_now()

    answer = show_password(client, user)

    assert answer.status_code == 422 and "This account is disabled." in answer.text
    wrong = client.post("/log-in", data={"email": user.email, "password": "wrong"})
    assert "disabled" not in wrong.text
    assert db.session.query(PendingSession).count() == 0


def test_secret_that_cannot_be_decrypted_is_reported_and_a_recovery_code_still_works(client: FlaskClient) -> None:
    user = a_customer()
    secret = with_second_factor(user)
    with transaction():
        [recovery, *_] = two_factor.new_recovery_codes(user.id, now=utc_now())
        db.session.get_one(User, user.id).encrypted_totp = "encrypted with another key"
    show_password(client, user)

    answer = show_code(client, code(secret))

    assert answer.status_code == 409 and "Use a recovery code" in answer.text
    assert show_code(client, recovery).status_code == 303
