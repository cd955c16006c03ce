"""The balance, and requests to add money to it."""

import re

import pytest
from flask import current_app
from flask.testing import FlaskClient

from panel.db import transaction
from panel.domain import money
from panel.services.money import deposits, ledger
from tests.support.factories import NOON, a_customer, a_tool, an_order, signed_in


def test_balance_shows_what_is_free_and_what_is_held(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, tool=a_tool(price="0.90"), quantity=1_000)

    page = signed_in(client, customer).get("/balance").text

    assert re.search(r"Free to use</dt><dd><data[^>]*>\$9\.10", page)
    assert re.search(r"Held for moving orders</dt><dd><data[^>]*>\$0\.90", page)
    assert re.search(r"Together</dt><dd><data[^>]*>\$10\.00", page)
    assert f'href="/orders/{order.id}">order {order.id}</a>' in page
    assert 'id="balance" data-nanos="9100000000"' in page


def test_balance_shows_the_last_ten_entries_newest_first(client: FlaskClient) -> None:
    customer = a_customer("100")
    tool = a_tool()
    orders = [an_order(customer=customer, tool=tool).id for _ in range(12)]

    page = signed_in(client, customer).get("/balance").text

    shown = [int(number) for number in re.findall(r"/orders/(\d+)", page.partition("Last entries")[2])]
    assert shown == sorted(orders, reverse=True)[:10]


def test_empty_balance_says_what_to_do(client: FlaskClient) -> None:
    page = signed_in(client, a_customer("0")).get("/balance").text

    assert "Nothing has come in or gone out yet." in page
    assert 'href="/balance/add"' in page


def test_request_to_add_money_shows_reference_and_instructions(client: FlaskClient) -> None:
    customer = a_customer("0")
    (current_app.config["PANEL"].instance / "payment.txt").write_text("Transfer to <Bank 12>.")
    signed_in(client, customer)

    answer = client.post("/balance/add", data={"amount": "25.5"})

    (top_up,) = deposits.open_requests(customer.id)
    assert (answer.status_code, answer.location) == (303, f"/balance/add#{top_up.reference}")
    page = client.get("/balance/add").text
    assert top_up.reference in page and "$25.50" in page
    assert "Transfer to &lt;Bank 12&gt;." in page
    assert "Not confirmed yet" in page
    assert ledger.balance_nanos(customer.id) == 0


def test_without_instructions_the_page_says_so(client: FlaskClient) -> None:
    signed_in(client, a_customer("0")).post("/balance/add", data={"amount": "5"})

    assert "has not written here how to pay" in client.get("/balance/add").text


@pytest.mark.parametrize("amount", ["", "0", "-5", "1e3", "0.5", "10000.01", "<b>", "5,5", "1.234"])
def test_bad_amount_is_a_sentence_beside_the_field(client: FlaskClient, amount: str) -> None:
    customer = a_customer()

    answer = signed_in(client, customer).post("/balance/add", data={"amount": amount, "customer_id": "1"})

    assert answer.status_code == 422
    assert 'id="amount-error"' in answer.text
    assert f'value="{amount.replace("<b>", "&lt;b&gt;")}"' in answer.text
    assert deposits.open_requests(customer.id) == []


def test_requests_of_someone_else_are_not_shown(client: FlaskClient) -> None:
    stranger_id, amount = a_customer().id, money.parse_nanos("7")
    with transaction():
        theirs = deposits.request_deposit(stranger_id, amount_nanos=amount, now=NOON).reference

    assert theirs not in signed_in(client, a_customer()).get("/balance/add").text


def test_private_pages_are_not_for_search_engines_or_caches(client: FlaskClient) -> None:
    signed_in(client, a_customer())

    for path in ("/balance", "/balance/add", "/balance/statement"):
        answer = client.get(path)
        assert '<meta name="robots" content="noindex">' in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
