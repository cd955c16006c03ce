"""Webhook endpoint pages: secrets shown once, only own endpoints, and what the forms refuse."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db, transaction
from panel.models import User, WebhookDelivery, WebhookEndpoint
from panel.security import encryption
from tests.support.factories import a_customer, logged_in

URL = "https://panel.example.com/webhooks"
PAGE = "/account/webhooks"


@pytest.fixture
def customer() -> User:
    return a_customer()


@pytest.fixture
def mine(client: FlaskClient, customer: User) -> FlaskClient:
    return logged_in(client, customer)


def add(client: FlaskClient, *, url: str = URL, balance_low: str = "") -> tuple[int, str]:
    """Add an endpoint through the form; returns its id and its secret."""
    answer = client.post(PAGE, data={"url": url, "balance_low": balance_low})
    assert answer.status_code == 201, answer.text
    secret = re.search(r'<code id="secret"[^>]*>(whsec_[\w-]+)</code>', answer.text)
    assert secret
    return the_endpoint().id, secret[1]


def the_endpoint() -> WebhookEndpoint:
    db.session.rollback()
    return db.session.scalars(select(WebhookEndpoint).order_by(WebhookEndpoint.id.desc()).limit(1)).one()


def test_an_endpoint_is_added_and_its_secret_is_shown_once_and_stored_encrypted(mine: FlaskClient) -> None:
    endpoint_id, secret = add(mine, balance_low="12.5")

    endpoint = the_endpoint()
    assert endpoint.balance_low_nanos == 12_500_000_000
    assert secret not in endpoint.encrypted_secret
    assert encryption.decrypt(endpoint.encrypted_secret, settings=mine.application.config["PANEL"]) == secret
    for page in (PAGE, f"{PAGE}/{endpoint_id}"):
        answer = mine.get(page)
        assert answer.status_code == 200 and URL in answer.text and secret not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"url": ""}, "must look like"),
        ({"url": "http://panel.example.com/"}, "must start with https"),
        ({"url": "https://127.0.0.1/"}, "not on the public internet"),
        ({"url": "https://panel.example.com:8443/"}, "Webhooks go to port 443. Leave out the port 8443."),
        ({"url": "https://user:word@panel.example.com/"}, "must look like"),
        ({"url": f"https://panel.example.com/{'x' * 600}"}, "at most 500"),
        ({"url": URL, "balance_low": "-1"}, "Write an amount"),
    ],
)
def test_invalid_endpoint_has_an_error_and_keeps_what_was_typed(
    mine: FlaskClient, form: dict[str, str], message: str
) -> None:
    answer = mine.post(PAGE, data=form)

    assert answer.status_code == 422
    assert message in answer.text
    assert f'value="{form["url"]}"' in answer.text
    assert db.session.scalars(select(WebhookEndpoint)).all() == []


def test_the_same_address_is_not_added_twice_and_five_are_enough(mine: FlaskClient) -> None:
    for number in range(5):
        add(mine, url=f"{URL}/{number}")

    assert mine.post(PAGE, data={"url": f"{URL}/0"}).status_code == 422
    assert mine.post(PAGE, data={"url": f"{URL}/new"}).status_code == 422
    assert 'name="url"' not in mine.get(PAGE).text


def test_another_secret_is_given_and_a_page_from_before_cannot_give_a_third(mine: FlaskClient) -> None:
    endpoint_id, first = add(mine)
    fingerprint = re.search(r'name="fingerprint" value="(\w+)"', mine.get(f"{PAGE}/{endpoint_id}").text)
    assert fingerprint

    answer = mine.post(f"{PAGE}/{endpoint_id}/secret", data={"fingerprint": fingerprint[1]})
    again = mine.post(f"{PAGE}/{endpoint_id}/secret", data={"fingerprint": fingerprint[1]})

    assert answer.status_code == 200 and "whsec_" in answer.text and first not in answer.text
    assert again.status_code == 409 and "whsec_" not in again.text
    settings = mine.application.config["PANEL"]
    assert encryption.decrypt(the_endpoint().encrypted_old_secret, settings=settings) == first
    assert "also signs until" in mine.get(f"{PAGE}/{endpoint_id}").text


def test_test_delivery_is_logged_and_can_be_sent_again(mine: FlaskClient) -> None:
    endpoint_id, _secret = add(mine)

    answer = mine.post(f"{PAGE}/{endpoint_id}/tests")
    delivery = db.session.scalars(select(WebhookDelivery)).one()
    again = mine.post(f"{PAGE}/{endpoint_id}/deliveries/{delivery.id}/again")

    assert (answer.status_code, again.status_code) == (303, 303)
    page = mine.get(answer.location).text
    assert f'id="delivery-{delivery.id}" data-state="waiting"' in page
    assert "The test is on its way." in page


def test_the_bound_for_the_balance_is_changed_and_taken_away(mine: FlaskClient) -> None:
    endpoint_id, _secret = add(mine)

    refused = mine.post(f"{PAGE}/{endpoint_id}/balance-low", data={"balance_low": "lots"})
    mine.post(f"{PAGE}/{endpoint_id}/balance-low", data={"balance_low": "3"})
    kept = the_endpoint().balance_low_nanos
    mine.post(f"{PAGE}/{endpoint_id}/balance-low", data={"balance_low": ""})

    assert refused.status_code == 422 and 'value="lots"' in refused.text
    assert kept == 3_000_000_000
    assert the_endpoint().balance_low_nanos is None


def test_removed_endpoint_gives_up_its_queued_deliveries(mine: FlaskClient) -> None:
    endpoint_id, _secret = add(mine)
    mine.post(f"{PAGE}/{endpoint_id}/tests")

    answer = mine.post(f"{PAGE}/{endpoint_id}/removal")

    assert answer.status_code == 303
    assert URL not in mine.get(PAGE).text
    assert mine.get(f"{PAGE}/{endpoint_id}").status_code == 404
    assert db.session.scalars(select(WebhookDelivery.state)).all() == ["given_up"]


def test_other_customers_endpoints_are_not_found(client: FlaskClient, mine: FlaskClient) -> None:
    endpoint_id, _secret = add(mine)
    mine.post(f"{PAGE}/{endpoint_id}/tests")
    delivery_id = db.session.scalars(select(WebhookDelivery.id)).one()
    stranger = logged_in(client.application.test_client(), a_customer())
    own_id, _secret = add(stranger, url=f"{URL}/own")

    assert stranger.get(f"{PAGE}/{endpoint_id}").status_code == 404
    for action in ("secret", "balance-low", "tests", "removal", f"deliveries/{delivery_id}/again"):
        assert stranger.post(f"{PAGE}/{endpoint_id}/{action}").status_code == 404, action
    assert stranger.post(f"{PAGE}/{own_id}/deliveries/{delivery_id}/again").status_code == 404
    assert mine.get(f"{PAGE}/{endpoint_id}").status_code == 200


def test_visitors_are_asked_to_log_in(client: FlaskClient) -> None:
    for path in (PAGE, f"{PAGE}/1"):
        answer = client.get(path)
        assert answer.status_code == 303 and "/log-in" in answer.location


def test_the_endpoints_answer_is_shown_as_text(mine: FlaskClient) -> None:
    endpoint_id, _secret = add(mine)
    mine.post(f"{PAGE}/{endpoint_id}/tests")
    with transaction():
        db.session.scalars(select(WebhookDelivery)).one().answer = "500 <script>alert(1)</script>"

    page = mine.get(f"{PAGE}/{endpoint_id}").text

    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page


def test_the_account_leads_to_the_webhooks(mine: FlaskClient) -> None:
    assert f'href="{PAGE}"' in mine.get("/account").text
