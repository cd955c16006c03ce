"""Unusual addresses: each is a 404, on both engines."""

import pytest
from flask.testing import FlaskClient

from tests.support.factories import a_customer, a_tool, logged_in

pytestmark = pytest.mark.both_engines

ENDLESS = "9" * 30


@pytest.mark.parametrize(
    "address",
    [
        "/%00",
        "/tools/%00",
        "/tools/readers%00",
        "/order-statuses/%00",
        "/orders/%00",
        f"/orders/{ENDLESS}",
        f"/orders/{ENDLESS}/receipt",
        f"/orders/new?again={ENDLESS}",
    ],
)
def test_unknown_address_is_not_found(client: FlaskClient, address: str) -> None:
    a_tool(slug="readers")
    logged_in(client, a_customer())

    assert client.get(address).status_code == 404


def test_a_device_with_an_endless_number_is_not_found(client: FlaskClient) -> None:
    logged_in(client, a_customer())

    assert client.post(f"/account/devices/{ENDLESS}/log-out").status_code == 404


def test_a_category_that_cannot_be_is_an_empty_list(client: FlaskClient) -> None:
    a_tool(slug="readers")

    page = client.get("/tools?category=%01%7f")

    assert page.status_code == 200
    assert "Show all tools" in page.text


def test_the_address_of_the_check_page_leads_to_the_form(client: FlaskClient) -> None:
    logged_in(client, a_customer())

    answer = client.get("/orders/check")

    assert (answer.status_code, answer.location) == (303, "/orders/new")
