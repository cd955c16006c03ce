"""Landing page: links, and only measured figures."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import timed_cache, transaction
from panel.domain.status import Status
from panel.services import delivery_times
from panel.services.money.audit import audit
from panel.services.platform import audit_runs, canary
from tests.support.factories import a_customer, a_tool, an_order, logged_in


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    delivery_times.clear_cache()
    timed_cache.clear()


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", page[page.index("<main") :]).split())


def test_visitors_are_asked_in_and_customers_to_their_orders(client: FlaskClient) -> None:
    for_visitors = client.get("/").text
    for_customers = logged_in(client, a_customer()).get("/").text

    assert 'class="button" href="/sign-up">Create account' in for_visitors
    assert 'href="/tools">See tools' in for_visitors
    assert 'class="button" href="/orders/new"' in for_customers
    assert "/sign-up" not in for_customers


def test_first_lines_say_what_is_sold_and_from_which_price(client: FlaskClient) -> None:
    a_tool("cheap", price="0.45")
    a_tool("dear", price="3")

    page = words(client.get("/").text)

    assert page.index("Promotion for your page, podcast or newsletter") < 100
    assert "Buy plays, reads, visits and sign-ups from $0.45 per 1,000." in page[:400]


def test_an_empty_panel_shows_no_measured_figure_and_an_example_that_says_so(client: FlaskClient) -> None:
    page = words(client.get("/").text)

    assert "of orders completed" not in page
    assert "median time" not in page
    assert "orders audited" not in page
    assert "This is a demo" not in page
    assert "This is an example, not a customer’s order." in page
    assert "Delivered600 of 1,000 Charged$2.40 Kept$1.44 Returned to the balance$0.96" in page


def test_the_share_and_the_median_are_shown_once_there_are_enough_orders(client: FlaskClient) -> None:
    customer = a_customer("1000")
    ends = [Status.COMPLETED] * delivery_times.MIN_SAMPLE + [Status.CANCELED]
    for status in ends:
        an_order(customer=customer, status=status, now=utc_now())

    page = words(client.get("/").text)

    assert f"{(len(ends) - 1) * 100 // len(ends)}% of orders completed" in page
    assert f"{len(ends) - 1} of {len(ends)} orders that ended in the last {delivery_times.WINDOW.days} days" in page
    assert "median time to complete" in page


def test_audit_of_no_orders_proves_nothing_and_is_left_out(client: FlaskClient) -> None:
    with transaction():
        audit_runs.record(audit(), took_ms=5, now=utc_now())

    assert "audited" not in words(client.get("/").text)
    assert "Money recordsNot enough data yetThe panel" in words(client.get("/reliability").text)


def test_last_audit_is_shown_when_it_found_nothing(client: FlaskClient) -> None:
    an_order()
    with transaction():
        audit_runs.record(audit(), took_ms=5, now=utc_now())

    page = words(client.get("/").text)

    assert "1 order audited, no differences We recomputed the money of every order from the ledger on" in page


def test_categories_show_their_lowest_price(client: FlaskClient) -> None:
    for name, price in (("a", "3"), ("b", "0.864"), ("c", "2"), ("d", "2.5")):
        a_tool(f"tool-{name}", price=price)

    page = words(client.get("/").text)

    assert page.count("from $0.864 per 1,000") == 2
    assert "and 1 more" in page
    assert "See all 4 tools" in page


def test_newest_test_order_is_shown_and_polled_without_a_new_answer_for_nothing_new(client: FlaskClient) -> None:
    with transaction():
        canary.prepare(key="key-of-the-canary", now=utc_now())
        canary.place(now=utc_now() - timedelta(minutes=5))
    timed_cache.clear()

    page, first = client.get("/?live").text, client.get("/test-order/live")
    again = client.get("/test-order/live", headers={"HX-PTag": first.headers["HX-PTag"]})
    with transaction():
        canary.place(now=utc_now())
    timed_cache.clear()
    newer = client.get("/test-order/live", headers={"HX-PTag": first.headers["HX-PTag"]})

    assert "Our latest test order" in page
    assert first.text.strip() in page
    assert again.status_code == 304 and again.headers["HX-PTag"] == first.headers["HX-PTag"]
    assert newer.status_code == 200 and newer.headers["HX-PTag"] != first.headers["HX-PTag"]


@pytest.mark.demo
def test_refund_of_an_ended_test_order_is_shown(app: Flask, client: FlaskClient) -> None:
    timed_cache.clear()

    page = words(client.get("/").text)

    assert "Our latest test order Canceled" in page
    assert re.search(r"Refunded in full\d\d:\d\d:\d\d UTC", page)
    assert "ended with nothing delivered, so its whole charge, $0.000000001, came back." in page
    assert "This is a demo: its orders, incidents and customers are made up." in page


@pytest.mark.demo
def test_page_with_all_it_loads_stays_in_the_public_budget(app: Flask, client: FlaskClient) -> None:
    timed_cache.clear()

    page = client.get("/")
    loaded = set(re.findall(r'<(?:link rel="(?:stylesheet|icon)" href|script src)="([^"]+)"', page.text))

    # The browser also opens a stream, which transfers nothing until something changes.
    assert len(loaded) + 1 <= 5
    assert len(page.data) + sum(len(client.get(path).data) for path in loaded) <= 40_000
