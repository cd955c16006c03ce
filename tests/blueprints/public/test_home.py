"""The landing page: what one can do, and no figure that was not measured."""

import re

import pytest
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import timed_cache, transaction
from panel.domain.status import Status
from panel.services import delivery_times
from panel.services.money.audit import audit
from panel.services.platform import audit_runs
from tests.support.factories import a_customer, a_tool, an_order, signed_in


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    delivery_times.clear_cache()
    timed_cache.clear()


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", page[page.index("<main") :]).split())


def test_visitors_are_asked_in_and_customers_to_their_orders(client: FlaskClient) -> None:
    for_visitors = client.get("/").text
    for_customers = signed_in(client, a_customer()).get("/").text

    assert 'class="button" href="/sign-up"' in for_visitors and 'href="/log-in"' in for_visitors
    assert 'class="button" href="/orders"' in for_customers
    assert "/sign-up" not in for_customers


def test_an_empty_panel_shows_no_measured_figure(client: FlaskClient) -> None:
    page = words(client.get("/").text)

    assert "ended Completed" not in page
    assert "Measured" not in page
    assert "accounted for" not in page
    assert "Of an order for $2.40 with 400 of 1,000 not delivered, $0.96 goes back to your balance" in page


def test_the_share_is_shown_once_there_are_enough_orders(client: FlaskClient) -> None:
    customer = a_customer("1000")
    ends = [Status.COMPLETED] * (delivery_times.LEAST_SAMPLE - 1) + [Status.CANCELED]
    for status in ends:
        an_order(customer=customer, status=status, now=utc_now())

    page = words(client.get("/").text)

    assert f"{(len(ends) - 1) * 100 // len(ends)}% ended Completed" in page
    assert f"{len(ends) - 1} of {len(ends)} orders that ended in the last {delivery_times.WINDOW.days} days" in page


def test_the_last_audit_stands_there_when_it_found_nothing(client: FlaskClient) -> None:
    an_order()
    with transaction():
        audit_runs.record(audit(), took_ms=5, now=utc_now())

    page = words(client.get("/").text)

    assert "the money of every order, 1 in all, was computed again from the ledger. Nothing differed." in page


def test_three_tools_stand_there_with_their_price(client: FlaskClient) -> None:
    for name in "abcd":
        a_tool(f"tool-{name}", price="0.864")

    page = client.get("/").text

    assert re.findall(r'<h3><a href="/tools/(tool-.)">', page) == ["tool-a", "tool-b", "tool-c"]
    assert words(page).count("$0.864 per 1,000") == 3
