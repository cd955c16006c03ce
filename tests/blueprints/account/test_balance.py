"""Balance page: available, on hold, and the latest entries."""

import re

from flask.testing import FlaskClient

from tests.support.factories import a_customer, a_tool, an_order, logged_in


def test_balance_shows_what_is_free_and_what_is_held(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, tool=a_tool(price="0.90"), quantity=1_000)

    page = logged_in(client, customer).get("/balance").text

    assert re.search(r"Available</dt><dd><data[^>]*>\$9\.10", page)
    assert re.search(r"On hold</dt><dd><data[^>]*>\$0\.90", page)
    assert re.search(r"Total</dt><dd><data[^>]*>\$10\.00", page)
    assert f'href="/orders/{order.id}">order {order.id}</a>' in page
    assert 'id="balance" data-nanos="9100000000"' in page


def test_balance_shows_the_last_ten_entries_newest_first(client: FlaskClient) -> None:
    customer = a_customer("100")
    tool = a_tool()
    orders = [an_order(customer=customer, tool=tool).id for _ in range(12)]

    page = logged_in(client, customer).get("/balance").text

    shown = [int(number) for number in re.findall(r"/orders/(\d+)", page.partition("Latest entries")[2])]
    assert shown == sorted(orders, reverse=True)[:10]


def test_empty_balance_says_what_to_do(client: FlaskClient) -> None:
    page = logged_in(client, a_customer("0")).get("/balance").text

    assert "There are no entries yet." in page
    assert 'href="/balance/add"' in page


def test_private_pages_are_not_for_search_engines_or_caches(client: FlaskClient) -> None:
    logged_in(client, a_customer())

    for path in ("/balance", "/balance/add", "/balance/statement"):
        answer = client.get(path)
        assert '<meta name="robots" content="noindex">' in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
