"""Rechecks of ended orders, less and less often: a contradiction opens a review and changes nothing."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import func, select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import dispatch, rechecks, sync
from panel.models import Order, OrderEvent
from panel.services.orders import rechecks as order_rechecks
from panel.services.orders import refills as refilling
from panel.services.orders.transitions import RECHECK_AFTER
from tests.support.factories import NOON, a_customer, a_tool, an_order, reload
from tests.support.hostile_provider import HostileProvider, http_response
from tests.support.upstream import BALANCE_NANOS, assert_ledgers_match, open_reviews, upstream

pytestmark = pytest.mark.both_engines

COMPLETED, PARTIAL, CANCELED = ("Completed", "0"), ("Partial", "40"), ("Canceled", "100")
LATE: dict[str, tuple[tuple[str, str], tuple[object, object]]] = {
    "completed, then partial": (COMPLETED, ("Partial", "40")),
    "completed, then canceled": (COMPLETED, ("Canceled", "100")),
    "completed, then in progress": (COMPLETED, ("In progress", "10")),
    "partial, then completed": (PARTIAL, ("Completed", "0")),
    "partial, then another count": (PARTIAL, ("Partial", "41")),
    "canceled, then completed": (CANCELED, ("Completed", "0")),
    "canceled, then an unknown word": (CANCELED, ("Perhaps", "0")),
}


def an_ended_order(server: HostileProvider, end: tuple[object, object]) -> Order:
    server.takes_orders()
    tool = a_tool(provider=upstream(), provider_service="7", refill_days=30)
    order = an_order(customer=a_customer("1000"), tool=tool, quantity=100, now=utc_now())
    dispatch.serve(upstream().id)
    set_report(server, order, end)
    sync.serve(upstream().id)
    return reload(order)


def set_report(server: HostileProvider, order: Order, report: tuple[object, object]) -> None:
    row = {"status": report[0], "remains": report[1], "start_count": "5"}
    server.answers["status"] = http_response({reload(order).provider_order_id: row})


def rechecked() -> None:
    with transaction():
        db.session.execute(update(Order).where(Order.recheck_at.is_not(None)).values(recheck_at=utc_now()))
    rechecks.sweep(worker="test", wait=True)


def standing(order: Order) -> tuple[Any, ...]:
    order = reload(order)
    return order.status, order.remains, order.kept_nanos, order.returned_nanos, order.version


@pytest.mark.parametrize("how", LATE)
def test_a_late_contradiction_opens_one_review_and_moves_nothing(server: HostileProvider, how: str) -> None:
    end, late = LATE[how]
    order = an_ended_order(server, end)
    before = standing(order)
    set_report(server, order, late)

    for _ in range(3):
        rechecked()

    assert standing(order) == before
    assert [review.order_id for review in open_reviews("report")] == [order.id]
    assert_ledgers_match()


def test_a_contradiction_during_a_refill_is_noticed(server: HostileProvider) -> None:
    order = an_ended_order(server, COMPLETED)
    with transaction():
        refilling.request_refill(order.id, customer_id=order.customer_id, now=utc_now())
    set_report(server, order, ("Canceled", "100"))

    rechecked()

    assert reload(order).status == Status.REFILL
    assert len(open_reviews("report")) == 1


@pytest.mark.parametrize("end", [COMPLETED, PARTIAL, CANCELED])
def test_the_same_final_status_reported_again_changes_nothing(server: HostileProvider, end: tuple[str, str]) -> None:
    order = an_ended_order(server, end)
    events = select(func.count()).select_from(OrderEvent).where(OrderEvent.order_id == order.id)
    before = db.session.scalar(events)

    rechecked()
    set_report(server, order, (end[0], ""))
    rechecked()

    assert server.count("status") == 3
    assert db.session.scalar(events) == before
    assert open_reviews("report") == []


@pytest.mark.parametrize("answer", [{"error": "Incorrect order ID"}, {}, {"1001": {"error": "Incorrect order ID"}}])
def test_an_old_order_that_the_provider_has_forgotten_is_no_news(server: HostileProvider, answer: object) -> None:
    an_ended_order(server, COMPLETED)
    server.answers["status"] = http_response(answer)

    rechecked()

    assert (open_reviews("report"), open_reviews("provider_silent")) == ([], [])
    assert upstream().failures == 0


def test_a_provider_that_fails_on_old_orders_is_not_backed_off(server: HostileProvider) -> None:
    an_ended_order(server, COMPLETED)
    server.answers["status"] = http_response(b"", status="500 Internal Server Error")

    rechecked()

    assert (upstream().failures, upstream().call_after) == (0, None)


def test_an_ended_order_is_due_again_in_half_a_minute_and_not_asked_before(server: HostileProvider) -> None:
    order = an_ended_order(server, COMPLETED)

    rechecks.sweep(worker="test", wait=True)

    assert server.count("status") == 1
    assert order.recheck_at is not None
    assert order.ended_at is not None
    assert order.recheck_at - order.ended_at == RECHECK_AFTER


@pytest.mark.parametrize("refill_days", [None, 7, 90])
def test_questions_become_rare_and_end_with_the_window(refill_days: int | None) -> None:
    last = NOON + timedelta(days=max(refill_days or 0, 30))
    at, asked = NOON + RECHECK_AFTER, []
    while at is not None:
        asked.append(at)
        at = order_rechecks.next_at(NOON, refill_days, now=at)

    gaps = [later - before for before, later in pairwise(asked)]
    assert gaps[:-1] == sorted(gaps[:-1])
    assert asked[-1] == last
    assert len(asked) <= 20


def test_an_order_nobody_had_is_never_asked_about(server: HostileProvider) -> None:
    server.answers["add"] = http_response({"error": "Bad link"})
    tool = a_tool(provider=upstream(), provider_service="7")
    order = an_order(customer=a_customer("1000"), tool=tool, now=utc_now())

    dispatch.serve(upstream().id)

    assert reload(order).status == Status.CANCELED
    assert order.recheck_at is None
    assert order.returned_nanos == order.charge_nanos < BALANCE_NANOS
