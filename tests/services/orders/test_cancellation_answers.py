"""Cancellation requests that operators answer: accepted or refused once; money moves only when the order ends."""

import pytest
from flask import Flask
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.errors import ActionRefused, BadInput, NotFound, PanelError
from panel.domain.status import Status
from panel.models import AuditLogEntry, Cancellation, CancellationState, Order, Review
from panel.services.orders import cancellations, request_progress, transitions
from panel.services.orders import detail as order_detail
from tests.support import ledger_oracle
from tests.support.concurrently import run_concurrently
from tests.support.factories import an_order, reload

pytestmark = pytest.mark.both_engines

ACCEPTED, REFUSED = CancellationState.ACCEPTED, CancellationState.REFUSED


def asked() -> tuple[Order, int]:
    """A manual order in progress, with a cancellation request."""
    order = an_order(provider="manual", status=Status.IN_PROGRESS, now=utc_now())
    with transaction():
        request = cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=utc_now())
    return order, request.id


def answered(cancellation_id: int, state: CancellationState, reason: str = "It is nearly done.") -> None:
    with transaction():
        cancellations.decide_by_operator(cancellation_id, state, reason=reason, actor="anna", now=utc_now())


def open_reviews() -> list[Review]:
    db.session.rollback()
    return list(db.session.scalars(select(Review).where(Review.resolved_at.is_(None))))


@pytest.mark.parametrize(("state", "sentence"), [(ACCEPTED, "is being canceled"), (REFUSED, "It is nearly done.")])
def test_an_operators_answer_is_announced_and_moves_no_money(state: CancellationState, sentence: str) -> None:
    order, cancellation_id = asked()
    waiting = [each.id for each in cancellations.open_cancellations()]
    open_count = len(open_reviews())

    answered(cancellation_id, state)

    own = order_detail.find(order.id, customer_id=order.customer_id)
    assert own is not None
    assert (waiting, open_count, open_reviews()) == ([cancellation_id], 1, [])
    assert cancellations.open_cancellations() == []
    assert sentence in order_detail.timeline(own, page=1).lines[0].sentence
    assert (reload(order).status, order.returned_nanos) == (Status.IN_PROGRESS, 0)
    (story,) = request_progress.cancellation_stories(own)
    assert (story.label, story.is_open, story.steps[-1].at is not None) == (state, False, True)
    line = db.session.scalars(select(AuditLogEntry)).one()
    assert (line.actor, line.subject) == ("anna", f"cancellation {cancellation_id}")


def test_undelivered_part_is_returned_when_an_accepted_cancellation_ends() -> None:
    order, cancellation_id = asked()
    answered(cancellation_id, ACCEPTED)

    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.PARTIAL, remains=400, now=utc_now())

    assert reload(order).returned_nanos == 400 * order.price_micros_per_thousand
    ledger_oracle.assert_consistent()


@pytest.mark.parametrize(("to", "state"), [(Status.COMPLETED, "refused"), (Status.CANCELED, "accepted")])
def test_the_end_of_the_order_answers_the_request_and_closes_its_review(to: Status, state: str) -> None:
    order, cancellation_id = asked()

    with transaction():
        transitions.move_order(transitions.lock_order(order.id), to, remains=0, now=utc_now())

    assert db.session.get_one(Cancellation, cancellation_id).state == state
    assert [review.kind for review in open_reviews()] == []


def test_a_refused_customer_may_ask_again_and_an_accepted_one_need_not() -> None:
    (order, first), (other, second) = asked(), asked()
    answered(first, REFUSED)
    answered(second, ACCEPTED)

    assert cancellations.refusal_reason(order.id) is None
    assert "is canceling this order" in (cancellations.refusal_reason(other.id) or "")


def test_of_many_answers_at_once_one_counts(app: Flask) -> None:
    _order, cancellation_id = asked()
    calls = [lambda state=state: answered(cancellation_id, state) for state in (ACCEPTED, REFUSED) * 3]

    answers = run_concurrently(app, calls, expected=PanelError)

    assert sum(answer is None for answer in answers) == 1
    assert all(isinstance(answer, ActionRefused) for answer in answers if answer is not None)
    assert len(db.session.scalars(select(AuditLogEntry)).all()) == 1


def test_an_answer_needs_a_reason_and_a_request() -> None:
    _order, cancellation_id = asked()

    with pytest.raises(BadInput):
        answered(cancellation_id, REFUSED, reason=" ")
    with pytest.raises(NotFound):
        answered(cancellation_id + 1, REFUSED)

    assert db.session.get_one(Cancellation, cancellation_id).state == "asked"
