"""The second factor as a browser sees it: at log-in it can't be passed by, and on the account it takes its proofs."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from panel.blueprints.login import HALF_KEY
from panel.clock import utc_now
from panel.db import db, transaction
from panel.models import HalfSignIn, SignIn, User
from panel.services import second_factor, sign_ins, users
from tests.factories import PASSWORD, a_customer, again, an_operator, signed_in, with_second_factor

PAGE = "/account/second-factor"
STEP = timedelta(seconds=second_factor.STEP_SECONDS)
WRONG = "000000"


def show_password(client: FlaskClient, user: User, **form: str) -> TestResponse:
    return client.post("/log-in", data={"email": user.email, "password": PASSWORD, **form})


def show_code(client: FlaskClient, code: str, **form: str) -> TestResponse:
    return client.post("/log-in/second-factor", data={"code": code, **form})


def code(secret: str, *, steps: int = 0) -> str:
    return second_factor.code_at(secret, at=utc_now() + steps * STEP)


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def set_up(client: FlaskClient, **form: str) -> tuple[str, TestResponse]:
    page = client.get(PAGE).text
    secret = found(r'<code id="key">([A-Z2-7 ]+)</code>', page).replace(" ", "")
    offer = found(r'name="offer" value="([^"]+)"', page)
    given = {"offer": offer, "code": code(secret), "current_password": PASSWORD}
    return secret, client.post(PAGE, data=given | form)


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]


@pytest.mark.parametrize("is_operator", [False, True])
def test_right_password_alone_makes_no_session(client: FlaskClient, is_operator: bool) -> None:
    user = an_operator() if is_operator else a_customer()
    with_second_factor(user)

    answer = show_password(client, user, next="/balance")

    assert (answer.status_code, answer.location) == (303, "/log-in/second-factor?next=/balance")
    assert db.session.query(SignIn).count() == 0
    with client.session_transaction() as session:
        assert set(session) == {HALF_KEY}
    for path in ("/account", "/orders", "/balance", PAGE, "/account/keys", "/orders/live"):
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
    assert is_signed_in(client)
    with client.session_transaction() as session:
        assert HALF_KEY not in session
    assert db.session.query(HalfSignIn).count() == 0


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
        session[HALF_KEY] = "made up"
    assert show_code(client, code(secret)).location == "/log-in"
    with client.session_transaction() as session:
        session[HALF_KEY] = 7
    assert show_code(client, code(secret)).location == "/log-in"


def test_token_of_half_a_sign_in_is_no_token_of_a_session(client: FlaskClient) -> None:
    user = a_customer()
    with_second_factor(user)
    show_password(client, user)
    with client.session_transaction() as session:
        session[sign_ins.TOKEN_KEY] = session[HALF_KEY]

    assert not is_signed_in(client)


@pytest.mark.parametrize("wanted", ["//evil.example", "/log-in/second-factor", "/log-out", "https://evil.example/"])
def test_next_leads_neither_elsewhere_nor_in_circles(client: FlaskClient, wanted: str) -> None:
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
    assert not is_signed_in(client)


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
        [recovery, *_] = second_factor.new_recovery_codes(user.id, now=utc_now())
    show_password(client, user)
    assert "Recovery code" in client.get("/log-in/second-factor?with=recovery-code").text

    answer = show_code(client, recovery)

    assert "9 of 10 are left" in client.get(answer.location).text
    second = app.test_client()
    show_password(second, user)
    assert show_code(second, recovery).status_code == 422


def test_changed_password_ends_half_a_sign_in(client: FlaskClient) -> None:
    user = a_customer()
    secret = with_second_factor(user)
    show_password(client, user)
    with transaction():
        users.set_password(user.id, password_hash=users.hash_password("another good one"))

    assert show_code(client, code(secret)).location == "/log-in"
    assert not is_signed_in(client)


def test_set_up_takes_code_and_password_and_shows_the_recovery_codes_once(client: FlaskClient, app: Flask) -> None:
    user = a_customer()
    elsewhere = signed_in(app.test_client(), user)
    signed_in(client, user)

    secret, answer = set_up(client)

    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    codes = re.findall(r"<li><code>([a-z0-9-]{19})</code></li>", answer.text)
    assert len(codes) == 10
    assert is_signed_in(client) and not is_signed_in(elsewhere)
    page = client.get(PAGE).text
    assert "10 of your recovery codes are left" in page
    assert secret not in page and codes[0] not in page
    fresh = app.test_client()
    assert show_password(fresh, user).location == "/log-in/second-factor"
    assert show_code(fresh, codes[0]).location == "/orders"


def test_picture_of_the_key_stands_in_the_page_itself(client: FlaskClient) -> None:
    signed_in(client, a_customer(email="ada@example.com"))

    page = client.get(PAGE).text

    assert "<svg" in page and "style=" not in page and "data:image" not in page
    assert "otpauth://totp/SmmPanelUS:ada%40example.com?secret=" in page


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"code": WRONG}, "This code is not right."),
        ({"code": ""}, "The code is missing."),
        ({"current_password": "wrong"}, "This is not your current password."),
    ],
)
def test_refused_set_up_changes_nothing_and_keeps_the_key(
    client: FlaskClient, form: dict[str, str], words: str
) -> None:
    user = a_customer()
    signed_in(client, user)

    secret, answer = set_up(client, **form)

    assert answer.status_code == 422 and words in answer.text
    assert secret in answer.text.replace(" ", "")
    assert again(user).sealed_totp == ""


def test_damaged_offer_and_a_form_sent_twice_are_409(client: FlaskClient) -> None:
    user = a_customer()
    signed_in(client, user)
    assert set_up(client, offer="made up")[1].status_code == 409
    assert again(user).sealed_totp == ""
    page = client.get(PAGE).text
    secret = found(r'<code id="key">([A-Z2-7 ]+)</code>', page).replace(" ", "")
    form = {"offer": found(r'name="offer" value="([^"]+)"', page), "current_password": PASSWORD}
    assert client.post(PAGE, data=form | {"code": code(secret)}).status_code == 200

    answer = client.post(PAGE, data=form | {"code": code(secret, steps=1)})

    assert answer.status_code == 409 and "on already" in answer.text


def test_operator_without_one_sets_it_up_before_the_office_opens(client: FlaskClient) -> None:
    operator = an_operator()
    signed_in(client, operator, second_factor=False)

    asked = client.get("/office?a=1&b=2")

    assert asked.location == "/account/second-factor?next=/office?a%3D1%26b%3D2"
    assert "The office opens once" in client.get(asked.location).text
    _, answer = set_up(client, next="/office")
    assert 'href="/office"' in answer.text
    assert client.get("/office").status_code == 200


def test_replacing_takes_the_old_code_the_new_one_and_the_password(client: FlaskClient, app: Flask) -> None:
    operator = an_operator()
    old = with_second_factor(operator)
    signed_in(client, operator)
    page = client.get(f"{PAGE}/replacement").text
    new = found(r'<code id="key">([A-Z2-7 ]+)</code>', page).replace(" ", "")
    form = {"offer": found(r'name="offer" value="([^"]+)"', page), "current_password": PASSWORD}

    refused = client.post(f"{PAGE}/replacement", data=form | {"present_code": WRONG, "code": code(new)})
    assert refused.status_code == 422 and 'id="present_code-error"' in refused.text
    answer = client.post(f"{PAGE}/replacement", data=form | {"present_code": code(old), "code": code(new)})

    assert answer.status_code == 200 and "Your second factor is replaced" in answer.text
    fresh = app.test_client()
    show_password(fresh, operator)
    assert show_code(fresh, code(old, steps=1)).status_code == 422
    assert show_code(fresh, code(new, steps=1)).status_code == 303


def test_recovery_codes_are_made_anew_with_password_and_code(client: FlaskClient) -> None:
    user = a_customer()
    secret = with_second_factor(user)
    signed_in(client, user, second_factor=True)
    path = f"{PAGE}/recovery-codes"

    assert client.post(path, data={"current_password": "wrong", "code": code(secret)}).status_code == 422
    assert client.post(path, data={"current_password": PASSWORD, "code": WRONG}).status_code == 422
    answer = client.post(path, data={"current_password": PASSWORD, "code": code(secret)})

    assert len(re.findall(r"<li><code>", answer.text)) == 10
    assert client.post(path, data={"current_password": PASSWORD, "code": code(secret)}).status_code == 422


def test_customer_turns_it_off_with_password_and_code_and_an_operator_never(client: FlaskClient, app: Flask) -> None:
    user, operator = a_customer(), an_operator()
    path, form = f"{PAGE}/removal", {"current_password": PASSWORD}
    secret, theirs = with_second_factor(user), with_second_factor(operator)
    signed_in(client, user, second_factor=True)
    office = signed_in(app.test_client(), operator)

    assert client.post(path, data=form | {"code": WRONG}).status_code == 422
    assert client.post(path, data={"code": code(secret)}).status_code == 422
    assert again(user).sealed_totp
    assert client.post(path, data=form | {"code": code(secret)}).status_code == 303
    assert office.get(path).location == PAGE
    assert office.post(path, data=form | {"code": code(theirs)}).status_code == 409

    assert not again(user).sealed_totp and again(operator).sealed_totp
    assert show_password(app.test_client(), user).location == "/orders"


@pytest.mark.parametrize("below", ["", "/replacement", "/recovery-codes", "/removal"])
def test_pages_are_private(client: FlaskClient, below: str) -> None:
    user = a_customer()
    with_second_factor(user)
    assert client.get(PAGE + below).location.startswith("/log-in")
    signed_in(client, user, second_factor=True)

    answer = client.get(PAGE + below)

    assert answer.status_code == 200 and '<meta name="robots" content="noindex">' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_expired_form_of_the_code_changes_nothing(client: FlaskClient, csrf: None) -> None:
    user = a_customer()
    secret = with_second_factor(user)
    token = found(r'name="csrf_token" value="([^"]+)"', client.get("/log-in").text)
    show_password(client, user, csrf_token=token)

    assert show_code(client, code(secret)).status_code == 400
    token = found(r'name="csrf_token" value="([^"]+)"', client.get("/log-in/second-factor").text)
    assert show_code(client, code(secret), csrf_token=token).status_code == 303


def test_list_of_devices_says_when_each_showed_it(client: FlaskClient) -> None:
    user = a_customer()
    signed_in(client, user)
    assert '<th scope="col">Second factor</th>' not in client.get("/account").text
    with_second_factor(user)
    signed_in(client, user, second_factor=True)

    page = client.get("/account").text

    assert page.count('data-label="Second factor">Shown <time') == 1 and "(this device)" in page
