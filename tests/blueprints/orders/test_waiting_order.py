"""Waiting orders (insufficient funds): the link back, the check page, and placing the order."""

import html
import re
from urllib.parse import unquote

from flask.testing import FlaskClient

from panel.db import transaction
from panel.services.money import ledger
from tests.support.factories import LINK, NOON, a_customer, a_tool, logged_in

FORM = {"tool": "page-visits", "link": LINK, "quantity": "1000", "request_id": "request-of-this-form"}


def _way_back(client: FlaskClient) -> str:
    """Path in the `next` parameter of the “Add funds” link."""
    page = client.post("/orders/check", data=FORM).text
    found = re.search(r'href="/balance/add\?amount=1\.00&amp;next=([^"]+)">Add \$1\.00 to place this order', page)
    assert found, page
    return unquote(html.unescape(found[1]))


def test_order_without_funds_keeps_tool_link_and_quantity_until_they_are_there(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("0.40")
    logged_in(client, customer)
    back = _way_back(client)
    with transaction():
        ledger.deposit(customer.id, amount_nanos=1_000_000_000, reason="deposit:test:2", note="", now=NOON)

    page = client.get(back)

    assert page.status_code == 200
    assert "Place order for $0.90" in page.text
    for name, value in FORM.items():
        assert f'name="{name}" value="{value}"' in page.text


def test_waiting_order_that_was_placed_leads_to_the_order(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("0.40")
    logged_in(client, customer)
    back = _way_back(client)
    with transaction():
        ledger.deposit(customer.id, amount_nanos=1_000_000_000, reason="deposit:test:2", note="", now=NOON)
    order = client.post("/orders", data=FORM).location

    answer = client.get(back)

    assert (answer.status_code, answer.location) == (303, order)


def test_waiting_order_still_says_what_is_missing(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    logged_in(client, a_customer("0.40"))

    page = client.get(_way_back(client))

    assert page.status_code == 200
    assert "Not enough funds" in page.text


def test_waiting_order_of_another_customer_is_not_shown(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    logged_in(client, a_customer("0.40"))
    back = _way_back(client)
    logged_in(client, a_customer())

    page = client.get(back)

    assert page.status_code == 410
    assert "This link to your waiting order no longer works." in page.text
    assert LINK not in page.text
