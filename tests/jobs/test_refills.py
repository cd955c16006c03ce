"""Refills and cancellations at a hostile provider: requested once, known answers only, ended by timeouts."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import cancellations as cancellation_sweep
from panel.jobs import dispatch, sync
from panel.jobs import refills as refill_sweep
from panel.jobs import timeouts as deadline_sweep
from panel.models import Attempt, AttemptState, Cancellation, Order, Provider, Refill, Review
from panel.providers.base import Accepted, NotSent, Unclear
from panel.services.office import review_resolution
from panel.services.office.review_resolution import Decision, Resolution
from panel.services.orders import cancellations, refills, timeouts
from panel.services.orders.refills import Task
from tests.support.factories import a_customer, a_tool, an_order, reload
from tests.support.hostile_provider import Answer, HostileProvider, drop, hostile_provider, http_response, provider_at
from tests.support.upstream import assert_ledgers_match

pytestmark = pytest.mark.both_engines


@pytest.fixture
def server(app: Flask) -> Iterator[HostileProvider]:
    app.config["PANEL"] = app.config["PANEL"].model_copy(update={"provider_timeout_seconds": 1.0})
    with hostile_provider() as server:
        provider_at(server.url, settings=app.config["PANEL"])
        server.takes_orders()
        yield server


def sent_order(server: HostileProvider, status: str = "Completed") -> Order:
    provider = db.session.scalars(select(Provider).where(Provider.kind == "panel_api")).one()
    tool = a_tool(provider=provider, provider_service="7")
    order = an_order(customer=a_customer("1000"), tool=tool, now=utc_now())
    dispatch.sweep(worker="test", wait=True)
    report = {"status": status, "remains": "0" if status == "Completed" else "400", "start_count": "1"}
    server.answers["status"] = http_response({reload(order).provider_order_id: report})
    sync.sweep(worker="test", wait=True)
    return reload(order)


def asked(order: Order) -> Refill:
    with transaction():
        return refills.request_refill(order.id, customer_id=order.customer_id, now=utc_now())


def swept() -> None:
    with transaction():
        db.session.execute(update(Provider).values(call_after=None))
        db.session.execute(update(Refill).where(Refill.due_at.is_not(None)).values(due_at=utc_now()))
        db.session.execute(update(Cancellation).where(Cancellation.due_at.is_not(None)).values(due_at=utc_now()))
    refill_sweep.sweep(worker="test", wait=True)
    cancellation_sweep.sweep(worker="test", wait=True)


def reviews(kind: str) -> list[Review]:
    db.session.rollback()
    return list(db.session.scalars(select(Review).where(Review.kind == kind, Review.resolved_at.is_(None))))


@pytest.mark.parametrize(
    ("word", "state"), [("Completed", "completed"), ("Rejected", "refused"), ("Canceled", "refused")]
)
def test_a_refill_is_asked_for_once_and_followed_to_its_end(server: HostileProvider, word: str, state: str) -> None:
    server.answers |= {
        "refill": http_response({"refill": "31"}),
        "refill_status": http_response({"status": "In progress"}),
    }
    order = sent_order(server)
    refill = asked(order)
    in_refill = reload(order).status
    swept()
    swept()
    server.answers["refill_status"] = http_response({"status": word})

    swept()
    swept()

    assert (in_refill, reload(order).status) == (Status.REFILL, Status.COMPLETED)
    assert reload(refill).state == state
    assert server.count("refill") == 1
    assert_ledgers_match()


@pytest.mark.parametrize(
    "answer", [http_response(b""), http_response({"refill": 0}), http_response({"refill": "x"}), drop], ids=range(4)
)
def test_an_unclear_refill_is_never_asked_for_again_by_machine(server: HostileProvider, answer: Answer) -> None:
    server.answers["refill"] = answer
    order = sent_order(server)
    refill = asked(order)

    swept()
    swept()
    open_reviews = len(reviews("unconfirmed_refill"))
    with transaction():
        db.session.execute(update(Attempt).values(at=utc_now() - timedelta(hours=100)))
    deadline_sweep.sweep(worker="test")
    deadline_sweep.sweep(worker="test")

    assert (server.count("refill"), open_reviews) == (1, 1)
    assert (reload(refill).state, reload(order).status) == ("refused", Status.COMPLETED)
    assert reviews("unconfirmed_refill") == []
    assert_ledgers_match()


def test_an_unknown_word_for_a_refill_changes_nothing_and_opens_one_review(server: HostileProvider) -> None:
    server.answers |= {
        "refill": http_response({"refill": "31"}),
        "refill_status": http_response({"status": "<b>Perhaps</b>"}),
    }
    order = sent_order(server)
    refill = asked(order)

    for _ in range(4):
        swept()

    assert reload(refill).state == "running"
    assert len(reviews("refill_report")) == 1


def test_a_final_refusal_of_a_refill_ends_it_with_the_reason(server: HostileProvider) -> None:
    server.answers["refill"] = http_response({"error": "Refill is not available"})
    order = sent_order(server)
    refill = asked(order)

    swept()

    assert reload(refill).state == "refused"
    assert "Refill is not available" in refill.reason
    assert reload(order).status == Status.COMPLETED


def taken(refill: Refill, *, lease_seconds: float = 60) -> Task:
    with transaction():
        task = refills.lease_task(refill.id, again_seconds=10, lease_seconds=lease_seconds, now=utc_now())
    assert task is not None
    return task


def test_a_refill_that_was_settled_while_time_looked_stays_settled(server: HostileProvider) -> None:
    """The caller's answer is recorded after the sweep finds an expired lease and before it locks it."""
    order = sent_order(server)
    refill = asked(order)
    task = taken(refill, lease_seconds=0.001)
    found = select(Attempt.id, Attempt.order_id).where(Attempt.id == task.attempt_id)
    with transaction():
        refills.record_outcome(task, Accepted("31"), now=utc_now())

    with transaction():
        still = list(timeouts._still(AttemptState.INTENT, found, most=10))
    with transaction():
        count = timeouts.expire_refills(unconfirmed_hours=0.0001, now=utc_now() + timedelta(hours=1))

    assert (still, count) == ([], 0)
    assert reload(refill).state == "running"
    assert reviews("unconfirmed_refill") == []


def test_a_late_answer_to_an_unconfirmed_refill_is_believed(server: HostileProvider) -> None:
    order = sent_order(server)
    refill = asked(order)
    task = taken(refill, lease_seconds=0.001)
    with transaction():
        timeouts.expire_refills(unconfirmed_hours=72, now=utc_now() + timedelta(minutes=1))
    doubted = len(reviews("unconfirmed_refill"))

    with transaction():
        refills.record_outcome(task, Accepted("31"), now=utc_now())

    assert doubted == 1
    assert (reload(refill).state, refill.provider_refill_id) == ("running", "31")
    assert reviews("unconfirmed_refill") == []


def test_an_answer_after_the_refill_was_settled_opens_a_review(server: HostileProvider) -> None:
    order = sent_order(server)
    refill = asked(order)
    task = taken(refill)
    with transaction():
        refills.record_outcome(task, Unclear("no answer"), now=utc_now())
    with transaction():
        timeouts.expire_refills(unconfirmed_hours=0.0001, now=utc_now() + timedelta(hours=1))

    with transaction():
        refills.record_outcome(task, Accepted("31"), now=utc_now())

    assert reload(refill).state == "refused"
    assert len(reviews("late_answer")) == 1
    assert_ledgers_match()


@pytest.mark.parametrize(
    ("decision", "given", "state", "calls"),
    [
        (Decision.SENT_AS, "31", "running", 1),
        (Decision.NOT_SENT, "", "running", 2),
        (Decision.RETURN, "", "refused", 1),
    ],
)
def test_an_operator_settles_an_unconfirmed_refill(
    server: HostileProvider, decision: Decision, given: str, state: str, calls: int
) -> None:
    server.answers["refill"] = http_response(b"")
    order = sent_order(server)
    refill = asked(order)
    swept()
    review_id = reviews("unconfirmed_refill")[0].id
    server.answers |= {"refill": http_response({"refill": "44"}), "refill_status": http_response({"status": "Pending"})}

    with transaction():
        resolution = Resolution(decision, "Looked.", actor="anna", provider_id=given)
        review_resolution.resolve(review_id, resolution, now=utc_now())
    swept()

    assert reload(refill).state == state
    assert server.count("refill") == calls
    assert_ledgers_match()


def test_a_refill_that_could_not_be_sent_is_asked_for_later(server: HostileProvider) -> None:
    order = sent_order(server)
    refill = asked(order)
    task = taken(refill)

    with transaction():
        refills.record_outcome(task, NotSent("refused"), now=utc_now())

    assert reload(refill).due_at is not None
    assert refill.state == "requested"


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (http_response([{"order": 1001, "cancel": 1}]), "accepted"),
        (http_response([{"order": 1001, "cancel": {"error": "Cancel is not available"}}]), "refused"),
        (http_response([{"order": 1001, "cancel": {"error": "Who knows"}}]), "asked"),
        (http_response([{"order": 9, "cancel": 1}]), "asked"),
        (http_response(b""), "asked"),
        (http_response({"error": "Cancel is not available"}), "refused"),
        (http_response("yes"), "asked"),
    ],
    ids=range(7),
)
def test_money_comes_back_only_with_the_final_report_of_a_stopped_order(
    server: HostileProvider, answer: Answer, state: str
) -> None:
    server.answers["cancel"] = answer
    order = sent_order(server, "In progress")
    with transaction():
        cancellation = cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=utc_now())
    swept()
    state_after, held = reload(cancellation).state, reload(order).returned_nanos
    server.answers["status"] = http_response({order.provider_order_id: {"status": "Partial", "remains": "400"}})
    with transaction():
        db.session.execute(update(Provider).values(call_after=None))
        db.session.execute(update(Order).values(sync_at=utc_now()))
    sync.sweep(worker="test", wait=True)

    assert (state_after, held) == (state, 0)
    assert reload(order).returned_nanos == 400 * order.price_micros_per_thousand
    assert_ledgers_match()
