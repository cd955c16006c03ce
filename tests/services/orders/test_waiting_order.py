"""Waiting orders: stored in a signed URL for one customer, priced as of now."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from flask import Flask

from panel.db import transaction
from panel.domain.money import NANOS_PER_UNIT
from panel.services.orders import placing, waiting_order
from panel.services.orders.waiting_order import WaitingOrder
from tests.support.factories import LINK, NOON, a_customer, a_tool

KEPT = WaitingOrder("page-visits", LINK, "1000", "request-of-this-form")


def test_waiting_order_is_found_with_what_it_costs_and_what_is_missing(app: Flask) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("0.40")
    path = waiting_order.path_of(KEPT, customer_id=customer.id, now=NOON)

    found = waiting_order.find(path, customer_id=customer.id, now=NOON)

    assert found is not None
    assert (found.path, found.quote.offer.slug, found.quote.link, found.quote.quantity) == (
        path,
        "page-visits",
        LINK,
        1000,
    )
    assert (found.quote.charge_nanos, found.missing_nanos, found.can_be_placed) == (900_000_000, 500_000_000, False)


def test_waiting_order_can_be_placed_once_the_balance_suffices(app: Flask) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("0.90")
    path = waiting_order.path_of(KEPT, customer_id=customer.id, now=NOON)

    found = waiting_order.find(path, customer_id=customer.id, now=NOON)

    assert found is not None
    assert (found.missing_nanos, found.can_be_placed) == (0, True)


def test_waiting_order_of_another_customer_is_not_found(app: Flask) -> None:
    a_tool("page-visits")
    path = waiting_order.path_of(KEPT, customer_id=a_customer().id, now=NOON)

    assert waiting_order.find(path, customer_id=a_customer().id, now=NOON) is None


def test_waiting_order_expires(app: Flask) -> None:
    a_tool("page-visits")
    customer = a_customer()
    path = waiting_order.path_of(KEPT, customer_id=customer.id, now=NOON)
    last = NOON + waiting_order.KEPT_FOR

    assert waiting_order.find(path, customer_id=customer.id, now=last) is not None
    assert waiting_order.find(path, customer_id=customer.id, now=last + timedelta(seconds=1)) is None


def test_placed_order_is_no_longer_waiting(app: Flask) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer()
    path = waiting_order.path_of(KEPT, customer_id=customer.id, now=NOON)

    with transaction():
        asked = placing.Placing(KEPT.tool, KEPT.link, KEPT.quantity, request_id=KEPT.request_id)
        placing.place_order(customer.id, asked=asked, now=NOON)

    assert waiting_order.find(path, customer_id=customer.id, now=NOON) is None


@pytest.mark.parametrize(
    "path",
    ["", "/orders", "/orders/waiting", "/orders/waiting?order=x", "//evil.example{path}", "https://evil.example{path}"],
)
def test_other_addresses_are_no_waiting_order(app: Flask, path: str) -> None:
    a_tool("page-visits")
    customer = a_customer()
    good = waiting_order.path_of(KEPT, customer_id=customer.id, now=NOON)

    assert waiting_order.find(path.format(path=good), customer_id=customer.id, now=NOON) is None
    assert waiting_order.find(quote(good), customer_id=customer.id, now=NOON) is None


@pytest.mark.parametrize(
    ("missing_nanos", "added"),
    [
        (1, 1 * NANOS_PER_UNIT),
        (3_100_000_000, 3_100_000_000),
        (3_100_000_001, 3_110_000_000),
        (20_000 * NANOS_PER_UNIT, 10_000 * NANOS_PER_UNIT),
    ],
)
def test_amount_to_add_is_in_whole_cents_within_the_limits_of_a_deposit(missing_nanos: int, added: int) -> None:
    assert waiting_order.amount_to_add(missing_nanos) == added
