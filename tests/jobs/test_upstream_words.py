"""Response texts of upstream panels: a clear answer counts, whatever its HTTP status."""

import itertools

import pytest

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import cancellations as cancellation_sweep
from panel.jobs import dispatch, sync
from panel.jobs import refills as refill_sweep
from panel.models import Order, Provider
from panel.providers import refusals
from panel.services.money import ledger
from panel.services.orders import cancellations, refills
from tests.support.factories import a_tool, an_order, reload
from tests.support.hostile_provider import HostileProvider, http_response
from tests.support.upstream import (
    BALANCE_NANOS,
    a_placed_order,
    assert_ledgers_match,
    attempts,
    dispatch_round,
    open_reviews,
    upstream,
)

pytestmark = pytest.mark.both_engines

STATUSES = ("200 OK", "201 Created", "400 Bad Request", "402 Payment Required", "422 Unprocessable", "500 Oops")
SENTENCES = (
    "Incorrect service ID",
    "Bad link",
    "Quantity less than minimal 50",
    "Quantity more than maximum 10000",
    "You have active order with this link. Please wait until order being completed.",
)

ACCEPTANCES = {
    "201": http_response({"order": 23}, status="201 Created"),
    "202": http_response({"order": 23}, status="202 Accepted"),
    "206": http_response({"order": "23"}, status="206 Partial Content"),
    "byte-order mark": http_response(b'\xef\xbb\xbf{"order": 23}'),
    "two byte-order marks": http_response(b'\xef\xbb\xbf\xef\xbb\xbf\n{"order": 23}'),
    "empty error": http_response({"order": 23, "error": ""}),
    "no error": http_response({"order": 23, "error": None}),
    "false error": http_response({"error": False, "order": "23"}),
}


@pytest.mark.parametrize("how", ACCEPTANCES)
def test_an_order_that_was_taken_is_known_to_be_taken(server: HostileProvider, how: str) -> None:
    server.answers["add"] = ACCEPTANCES[how]
    order = a_placed_order()

    dispatch_round()

    assert (attempts(order), reload(order).provider_order_id) == (["sent"], "23")
    assert open_reviews("unconfirmed") == []
    assert upstream().failures == 0


@pytest.mark.parametrize(("text", "status"), list(zip(SENTENCES, STATUSES[1:], strict=True)))
def test_a_sentence_that_refuses_for_good_returns_the_money(server: HostileProvider, status: str, text: str) -> None:
    server.answers["add"] = http_response({"error": text}, status=status)
    order = a_placed_order()

    dispatch_round()

    assert (attempts(order), reload(order).status) == (["refused"], Status.CANCELED)
    assert text.rstrip(".") in order.reason
    assert ledger.balance_nanos(order.customer_id) == BALANCE_NANOS
    assert_ledgers_match()


@pytest.mark.parametrize(("code", "status"), list(zip(refusals.CODES, itertools.cycle(STATUSES), strict=False)))
def test_a_code_that_refuses_for_good_returns_the_money_and_says_what_it_means(
    server: HostileProvider, status: str, code: str
) -> None:
    server.answers["add"] = http_response({"error": code}, status=status)
    order = a_placed_order()

    dispatch_round()

    assert (attempts(order), reload(order).status) == (["refused"], Status.CANCELED)
    assert order.reason == f"The provider refused it: {refusals.CODES[code]} ({code})."
    assert ledger.balance_nanos(order.customer_id) == BALANCE_NANOS
    assert_ledgers_match()


def test_a_refusal_with_empty_fields_beside_it_is_one(server: HostileProvider) -> None:
    server.answers["add"] = http_response({"status": "fail", "order": None, "error": "neworder.error.link", "code": 7})
    order = a_placed_order()

    dispatch_round()

    assert attempts(order) == ["refused"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Not enough funds on balance", "402 Payment Required"),
        ("neworder.error.not_enough_funds", "200 OK"),
        ("neworder.error.not_enough_funds", "400 Bad Request"),
        ("Invalid API key", "500 Oops"),
    ],
)
def test_a_provider_without_funds_is_paused_and_its_orders_wait(
    server: HostileProvider, status: str, text: str
) -> None:
    server.answers["add"] = http_response({"error": text}, status=status)
    tool = a_tool(provider=upstream(), provider_service="7")
    orders = [a_placed_order(tool=tool)]
    dispatch_round()
    orders.append(a_placed_order(tool=tool))

    dispatch_round()

    assert upstream().pause_reason == text
    assert server.count("add") == 1
    assert len(open_reviews("provider_paused")) == 1
    assert {reload(order).status for order in orders} == {Status.PENDING}
    assert all(order.unconfirmed_at is None for order in orders)


@pytest.mark.parametrize(
    ("words", "status"),
    [("neworder.error.link", "422 Unprocessable"), ("Nobody knows", "200 OK"), ("Nobody knows", "400 Bad Request")],
)
def test_refusals_in_words_make_nobody_else_wait(server: HostileProvider, words: str, status: str) -> None:
    server.answers["add"] = http_response({"error": words}, status=status)
    tool = a_tool(provider=upstream(), provider_service="7")
    refused = [a_placed_order(tool=tool) for _ in range(15)]
    dispatch.sweep(worker="test", wait=True)
    server.takes_orders()
    other = a_placed_order(tool=tool)

    dispatch.sweep(worker="test", wait=True)

    assert reload(other).provider_order_id is not None
    assert all(len(attempts(order)) == 1 for order in refused)
    assert (upstream().failures, upstream().call_after) == (0, None)
    assert open_reviews("provider_silent") == []


@pytest.mark.parametrize(
    "answer",
    [
        http_response({"error": "Forbidden"}, status="403 Forbidden"),
        http_response({"error": "Slow down"}, status="429 Too Many Requests"),
        http_response({"error": "Internal"}, status="500 Internal Server Error"),
        http_response({"error": ""}),
        http_response({"error": {"text": "Bad link"}}),
        http_response({"error": "Bad link", "id": 23}),
    ],
)
def test_status_words_of_a_server_error_are_ignored(server: HostileProvider, answer: bytes) -> None:
    server.answers["add"] = answer
    order = a_placed_order()

    dispatch.sweep(worker="test", wait=True)

    assert attempts(order) == ["unknown"]
    assert upstream().failures == 1


def sent_order(**more: object) -> Order:
    order = a_placed_order(quantity=1_000, **more)
    dispatch_round()
    return reload(order)


@pytest.mark.parametrize(
    ("word", "remains", "shown"), [("Pending", "", 1_000), ("In progress", "-2", 0), ("In progress", -2, 0)]
)
def test_remains_of_a_running_order(server: HostileProvider, word: str, remains: object, shown: int) -> None:
    server.takes_orders()
    order = sent_order()
    row = {"charge": "0.1", "start_count": "", "status": word, "remains": remains, "currency": "USD"}
    server.answers["status"] = http_response({order.provider_order_id: row})

    sync.sweep(worker="test", wait=True)

    assert (reload(order).remains, order.status) == (shown, word.lower().replace(" ", "_"))
    assert open_reviews("report") == []


def test_over_delivery_at_the_end_opens_a_review_of_partial_alone(server: HostileProvider) -> None:
    server.takes_orders()
    tool = a_tool(provider=upstream(), provider_service="7")
    partial, completed = sent_order(tool=tool), sent_order(tool=tool)
    rows = {
        partial.provider_order_id: {"status": "Partial", "remains": "-2"},
        completed.provider_order_id: {"status": "Completed", "remains": "-2"},
    }
    server.answers["status"] = http_response(rows)

    sync.sweep(worker="test", wait=True)

    assert (reload(partial).status, reload(completed).status) == (Status.PENDING, Status.COMPLETED)
    assert [review.order_id for review in open_reviews("report")] == [partial.id]
    assert_ledgers_match()


REFILL_REFUSALS = {
    "words": http_response({"error": "Refill is not available"}),
    "under 400": http_response({"error": "Refill is not available."}, status="400 Bad Request"),
    "in the field": http_response({"refill": {"error": "Incorrect order ID"}}),
}


@pytest.mark.parametrize("how", REFILL_REFUSALS)
def test_a_refused_refill_is_an_answer(server: HostileProvider, how: str) -> None:
    tool = a_tool(provider=upstream(), provider_service="7", refill_days=30)
    order = an_order(tool=tool, status=Status.COMPLETED, now=utc_now())
    with transaction():
        refill = refills.request_refill(order.id, customer_id=order.customer_id, now=utc_now())
        db.session.get_one(Provider, order.provider_id).failures = 3
    server.answers["refill"] = REFILL_REFUSALS[how]

    refill_sweep.sweep(worker="test", wait=True)

    assert (reload(refill).state, reload(order).status) == ("refused", Status.COMPLETED)
    assert upstream().failures == 0


STOPS = {
    "accepted": (lambda order: [{"order": order, "cancel": 1}], "200 OK", "accepted"),
    "accepted under 202": (
        lambda order: [{"order": str(order), "cancel": "1", "error": ""}],
        "202 Accepted",
        "accepted",
    ),
    "refused": (lambda order: [{"order": order, "cancel": {"error": "Cancel is not available"}}], "200 OK", "refused"),
    "refused beside": (lambda order: [{"order": order, "error": "Cancel is not available"}], "200 OK", "refused"),
    "refused under 422": (lambda _order: {"error": "Cancel is not available"}, "422 Unprocessable", "refused"),
}


@pytest.mark.parametrize("how", STOPS)
def test_an_answer_to_a_cancellation_is_read_with_any_http_status(server: HostileProvider, how: str) -> None:
    body, status, state = STOPS[how]
    server.takes_orders()
    order = sent_order(tool=a_tool(provider=upstream(), provider_service="7", can_cancel=True))
    with transaction():
        asked = cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=utc_now())
    server.answers["cancel"] = http_response(body(int(order.provider_order_id or 0)), status=status)

    cancellation_sweep.sweep(worker="test", wait=True)

    assert reload(asked).state == state
    assert upstream().failures == 0
