"""Two-factor settings pages: what they require as proof, and recovery codes shown once."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.browsing import is_logged_in
from tests.support.factories import PASSWORD, a_customer, an_operator, logged_in, reload, with_second_factor
from tests.support.login_codes import WRONG, code, found, show_code, show_password

PAGE = "/account/second-factor"


def set_up(client: FlaskClient, **form: str) -> tuple[str, TestResponse]:
    page = client.get(PAGE).text
    secret = found(r'<code id="key">([A-Z2-7 ]+)</code>', page).replace(" ", "")
    offer = found(r'name="offer" value="([^"]+)"', page)
    given = {"offer": offer, "code": code(secret), "current_password": PASSWORD}
    return secret, client.post(PAGE, data=given | form)


def test_set_up_takes_code_and_password_and_shows_the_recovery_codes_once(client: FlaskClient, app: Flask) -> None:
    user = a_customer()
    elsewhere = logged_in(app.test_client(), user)
    logged_in(client, user)

    secret, answer = set_up(client)

    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    codes = re.findall(r"<li><code>([a-z0-9-]{19})</code></li>", answer.text)
    assert len(codes) == 10
    assert is_logged_in(client) and not is_logged_in(elsewhere)
    page = client.get(PAGE).text
    assert "10 of your recovery codes are left" in page
    assert secret not in page and codes[0] not in page
    fresh = app.test_client()
    assert show_password(fresh, user).location == "/log-in/second-factor"
    assert show_code(fresh, codes[0]).location == "/orders"


def test_qr_code_is_inline_in_the_page(client: FlaskClient) -> None:
    logged_in(client, a_customer(email="ada@example.com"))

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
    logged_in(client, user)

    secret, answer = set_up(client, **form)

    assert answer.status_code == 422 and words in answer.text
    assert secret in answer.text.replace(" ", "")
    assert reload(user).encrypted_totp == ""


def test_damaged_offer_and_a_form_sent_twice_are_409(client: FlaskClient) -> None:
    user = a_customer()
    logged_in(client, user)
    assert set_up(client, offer="made up")[1].status_code == 409
    assert reload(user).encrypted_totp == ""
    page = client.get(PAGE).text
    secret = found(r'<code id="key">([A-Z2-7 ]+)</code>', page).replace(" ", "")
    form = {"offer": found(r'name="offer" value="([^"]+)"', page), "current_password": PASSWORD}
    assert client.post(PAGE, data=form | {"code": code(secret)}).status_code == 200

    answer = client.post(PAGE, data=form | {"code": code(secret, steps=1)})

    assert answer.status_code == 409 and "already on" in answer.text


def test_operator_without_one_sets_it_up_before_the_office_opens(client: FlaskClient) -> None:
    operator = an_operator()
    logged_in(client, operator, second_factor=False)

    asked = client.get("/office?a=1&b=2")

    assert asked.location == "/account/second-factor?next=/office?a%3D1%26b%3D2"
    assert "The office requires two-factor authentication" in client.get(asked.location).text
    _, answer = set_up(client, next="/office")
    assert 'href="/office"' in answer.text
    assert client.get("/office").status_code == 200


def test_replacing_takes_the_old_code_the_new_one_and_the_password(client: FlaskClient, app: Flask) -> None:
    operator = an_operator()
    old = with_second_factor(operator)
    logged_in(client, operator)
    page = client.get(f"{PAGE}/replacement").text
    new = found(r'<code id="key">([A-Z2-7 ]+)</code>', page).replace(" ", "")
    form = {"offer": found(r'name="offer" value="([^"]+)"', page), "current_password": PASSWORD}

    refused = client.post(f"{PAGE}/replacement", data=form | {"present_code": WRONG, "code": code(new)})
    assert refused.status_code == 422 and 'id="present_code-error"' in refused.text
    answer = client.post(f"{PAGE}/replacement", data=form | {"present_code": code(old), "code": code(new)})

    assert answer.status_code == 200 and "Your authenticator app is replaced" in answer.text
    fresh = app.test_client()
    show_password(fresh, operator)
    assert show_code(fresh, code(old, steps=1)).status_code == 422
    assert show_code(fresh, code(new, steps=1)).status_code == 303


def test_recovery_codes_are_made_again_with_password_and_code(client: FlaskClient) -> None:
    user = a_customer()
    secret = with_second_factor(user)
    logged_in(client, user, second_factor=True)
    path = f"{PAGE}/recovery-codes"

    assert client.post(path, data={"current_password": "wrong", "code": code(secret)}).status_code == 422
    assert client.post(path, data={"current_password": PASSWORD, "code": WRONG}).status_code == 422
    form = {"current_password": PASSWORD, "code": code(secret)}
    answer = client.post(path, data=form)

    assert len(re.findall(r"<li><code>", answer.text)) == 10
    assert client.post(path, data=form).status_code == 422


def test_customer_turns_it_off_with_password_and_code_and_an_operator_never(client: FlaskClient, app: Flask) -> None:
    user, operator = a_customer(), an_operator()
    path, form = f"{PAGE}/removal", {"current_password": PASSWORD}
    secret, theirs = with_second_factor(user), with_second_factor(operator)
    logged_in(client, user, second_factor=True)
    office = logged_in(app.test_client(), operator)

    assert client.post(path, data=form | {"code": WRONG}).status_code == 422
    assert client.post(path, data={"code": code(secret)}).status_code == 422
    assert reload(user).encrypted_totp
    assert client.post(path, data=form | {"code": code(secret)}).status_code == 303
    assert office.get(path).location == PAGE
    assert office.post(path, data=form | {"code": code(theirs)}).status_code == 409

    assert not reload(user).encrypted_totp and reload(operator).encrypted_totp
    assert show_password(app.test_client(), user).location == "/orders"


@pytest.mark.parametrize("below", ["", "/replacement", "/recovery-codes", "/removal"])
def test_pages_are_private(client: FlaskClient, below: str) -> None:
    user = a_customer()
    with_second_factor(user)
    assert client.get(PAGE + below).location.startswith("/log-in")
    logged_in(client, user, second_factor=True)

    answer = client.get(PAGE + below)

    assert answer.status_code == 200 and '<meta name="robots" content="noindex">' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_list_of_devices_says_when_each_showed_it(client: FlaskClient) -> None:
    user = a_customer()
    logged_in(client, user)
    assert '<th scope="col">Two-factor</th>' not in client.get("/account").text
    with_second_factor(user)
    logged_in(client, user, second_factor=True)

    page = client.get("/account").text

    assert page.count('data-label="Two-factor"><span>Code entered <time') == 1 and "(this device)" in page
