"""Bad batches: an order that makes a batch's status request fail is isolated, and the others are updated."""

import json
import socket
from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, table_of, transaction
from panel.jobs import dispatch, sync
from panel.models import Order, OrderEvent, Provider, Review
from tests.support.factories import a_customer, a_tool, an_order, reload
from tests.support.hostile_provider import HostileProvider, ProviderCall, drop, http_response
from tests.support.upstream import assert_ledgers_match, open_reviews, upstream

pytestmark = pytest.mark.both_engines

ORDERS = table_of(Order)


def sent_orders(server: HostileProvider, count: int) -> list[Order]:
    server.takes_orders()
    tool, customer = a_tool(provider=upstream(), provider_service="7"), a_customer("1000")
    orders = [an_order(customer=customer, tool=tool, quantity=100, now=utc_now()) for _ in range(count)]
    dispatch.serve(upstream().id)
    return [reload(order) for order in orders]


def fails_with(poison: set[str], failure: bytes | Callable[[socket.socket, ProviderCall], None]) -> object:
    """An upstream that fails in this way for each batch that contains one of these ids."""

    def answer(connection: socket.socket, call: ProviderCall) -> None:
        ids = call.fields["orders"].split(",")
        if not poison & set(ids):
            rows = {each: {"status": "Completed", "remains": "0", "start_count": "5"} for each in ids}
            connection.sendall(http_response(json.dumps(rows).encode()))
        elif isinstance(failure, bytes):
            connection.sendall(failure)
        else:
            failure(connection, call)

    return answer


def synced() -> None:
    with transaction():
        db.session.execute(update(Provider).values(call_after=None))
        db.session.execute(update(Order).where(Order.sync_at.is_not(None)).values(sync_at=utc_now()))
    sync.serve(upstream().id)


FAILURES = {
    "500": http_response(b"", status="500 Internal Server Error"),
    "HTML": http_response(b"<html>"),
    "words": http_response({"error": "Incorrect order ID"}),
    "words under 400": http_response({"error": "Something else"}, status="400 Bad Request"),
    "list": http_response([]),
    "hang-up": drop,
}


@pytest.mark.parametrize("how", FAILURES)
def test_the_others_end_and_an_operator_is_notified_of_the_bad_one(server: HostileProvider, how: str) -> None:
    orders = sent_orders(server, 20)
    poison = orders[13]
    server.answers["status"] = fails_with({poison.provider_order_id or ""}, FAILURES[how])  # type: ignore[assignment]

    synced()
    asked = server.count("status")
    synced()

    states = {reload(order).status for order in orders if order.id != poison.id}
    assert states == {"completed"}
    assert reload(poison).status == "pending"
    assert [review.order_id for review in open_reviews("report")] == [poison.id]
    assert open_reviews("provider_silent") == []
    assert upstream().failures == 0
    assert asked <= 12
    assert_ledgers_match()


def test_the_one_singled_out_is_asked_about_less_often(server: HostileProvider) -> None:
    orders = sent_orders(server, 4)
    server.answers["status"] = fails_with({orders[0].provider_order_id or ""}, FAILURES["500"])  # type: ignore[assignment]

    synced()

    due = reload(orders[0]).sync_at
    assert due is not None
    assert (due - utc_now()).total_seconds() > 200
    texts = db.session.scalars(select(OrderEvent.text).where(OrderEvent.order_id == orders[0].id)).all()
    assert sum("no usable answer" in text for text in texts) == 1


@pytest.mark.parametrize("how", ["500", "HTML", "hang-up"])
def test_a_provider_that_fails_altogether_blames_no_order(server: HostileProvider, how: str) -> None:
    orders = sent_orders(server, 20)
    ids = {order.provider_order_id or "" for order in orders}
    server.answers["status"] = fails_with(ids, FAILURES[how])  # type: ignore[assignment]

    synced()

    assert server.count("status") <= 7
    assert (upstream().failures, open_reviews("report")) == (1, [])


def test_a_provider_that_refuses_in_words_is_not_backed_off_and_operators_are_notified_once(
    server: HostileProvider,
) -> None:
    sent_orders(server, 20)
    server.answers["status"] = http_response({"error": "Your account is being checked"})

    synced()
    synced()

    assert (upstream().failures, upstream().call_after) == (0, None)
    [review] = open_reviews("provider_silent")
    assert "being checked" in review.raw
    assert db.session.scalars(select(Review).where(Review.kind == "report")).all() == []


def test_a_rate_limit_on_questions_makes_us_wait_without_halves(server: HostileProvider) -> None:
    sent_orders(server, 20)
    server.answers["status"] = http_response({"error": "Too many requests"}, status="429 Too Many Requests")

    sync.serve(upstream().id)

    assert server.count("status") == 1
    assert (upstream().failures, upstream().call_after is not None) == (0, True)
