"""Expired CSRF tokens: nothing is done, and the form comes back as typed, with the reason and a new token."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.db import db
from panel.models import ApiKey, DepositRequest, LoginSession, Order, ThrottleHit, User, WebhookEndpoint
from panel.services.money import ledger
from tests.support.factories import LINK, PASSWORD, a_customer, a_tool, logged_in

pytestmark = pytest.mark.usefixtures("csrf")

REASON = "This form was too old"
FORM = {"tool": "page-visits", "link": LINK, "quantity": "1000", "request_id": "request-of-this-form", "terms": "1"}
TOKENS = [{}, {"csrf_token": ""}, {"csrf_token": "that of another session"}]
ORDER_PATHS = ["/orders", "/orders/check"]
DOORS = ["/log-in", "/sign-up"]
# Address, fields, and the values that must come back.
TYPED_FORMS = [
    ("/account/webhooks", {"url": "https://example.com/hook", "balance_low": "25"}),
    ("/account/keys", {"name": "My reseller panel", "networks": "192.0.2.0/24"}),
    ("/balance/add", {"amount": "12.34"}),
]


def count(model: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def token_in(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", ORDER_PATHS)
@pytest.mark.parametrize("token", TOKENS, ids=range(3))
def test_expired_order_form_keeps_its_values_and_places_nothing(
    client: FlaskClient, path: str, token: dict[str, str]
) -> None:
    a_tool("page-visits")
    customer = a_customer("10")
    logged_in(client, customer)

    answer = client.post(path, data=FORM | token)

    assert answer.status_code == 403
    assert answer.headers["Cache-Control"] == "no-store"
    assert REASON in answer.text
    assert '<form method="post" action="/orders/check">' in answer.text
    assert '<input id="order-tool" type="hidden" name="tool" value="page-visits">' in answer.text
    assert f'value="{LINK}"' in answer.text
    assert 'value="1000"' in answer.text
    assert 'value="request-of-this-form"' in answer.text
    assert count(Order) == 0
    assert ledger.balance_nanos(customer.id) == 10_000_000_000


def test_order_form_with_its_new_token_can_be_resubmitted(client: FlaskClient) -> None:
    a_tool("page-visits")
    logged_in(client, a_customer())
    page = client.post("/orders/check", data=FORM).text

    answer = client.post("/orders/check", data=FORM | {"csrf_token": token_in(page)})

    assert answer.status_code == 200


@pytest.mark.parametrize("path", ORDER_PATHS)
def test_hostile_values_of_an_expired_form_stay_text(client: FlaskClient, path: str) -> None:
    script = '"><script>x</script>'

    answer = logged_in(client, a_customer()).post(path, data=FORM | {"link": script, "tool": "\x01", "terms": "x"})

    assert answer.status_code == 403
    assert "<script>x" not in answer.text


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("token", TOKENS, ids=range(3))
def test_log_in_with_a_stale_token_keeps_the_email_but_not_the_password(
    client: FlaskClient, path: str, token: dict[str, str]
) -> None:
    email = a_customer().email if path == "/log-in" else "new@example.com"
    people = count(User)

    answer = client.post(path, data={"email": email, "password": PASSWORD, "next": "/balance"} | token)

    assert answer.status_code == 403
    assert REASON in answer.text
    assert f'value="{email}"' in answer.text
    assert 'name="next" value="/balance"' in answer.text
    assert PASSWORD not in answer.text
    assert (count(User), count(LoginSession), count(ThrottleHit)) == (people, 0, 0)
    again = {"email": email, "password": PASSWORD, "csrf_token": token_in(answer.text)}
    assert client.post(path, data=again).status_code == 303


@pytest.mark.parametrize("path", DOORS)
def test_user_who_logged_in_in_between_is_redirected(client: FlaskClient, path: str) -> None:
    logged_in(client, a_customer())

    answer = client.post(path, data={"email": "new@example.com", "password": PASSWORD, "next": "/balance"})

    assert (answer.status_code, answer.location) == (303, "/balance")
    assert count(User) == 1


@pytest.mark.parametrize("path", [*ORDER_PATHS, *DOORS])
def test_cross_site_form_is_refused_without_showing_it_again(client: FlaskClient, path: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}

    answer = logged_in(client, a_customer()).post(path, data=FORM | {"email": "a@example.com"}, headers=headers)

    assert answer.status_code == 403
    assert REASON not in answer.text
    assert LINK not in answer.text


@pytest.mark.parametrize(("path", "typed"), TYPED_FORMS)
def test_account_form_comes_back_filled_and_does_nothing(client: FlaskClient, path: str, typed: dict[str, str]) -> None:
    logged_in(client, a_customer())

    answer = client.post(path, data=typed)

    assert answer.status_code == 403
    assert REASON in answer.text
    assert all(value in answer.text for value in typed.values())
    assert [count(model) for model in (ApiKey, DepositRequest, WebhookEndpoint)] == [0, 0, 0]
