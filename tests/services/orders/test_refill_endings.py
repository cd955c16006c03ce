"""Refills that never end: reported to operators once, who end them; later reports change nothing."""

import json
from datetime import timedelta

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.errors import ActionRefused, BadInput, NotFound
from panel.domain.refill import RefillState
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.jobs import timeouts as deadline_sweep
from panel.models import Attempt, AuditLogEntry, Order, OrderEvent, Refill, Review, Transfer
from panel.providers.base import Accepted, Unclear
from panel.services.money import audit
from panel.services.orders import refill_endings, refills, timeouts
from panel.services.orders.refills import Task
from tests.support.concurrently import start_in_thread
from tests.support.factories import an_order, reload

pytestmark = pytest.mark.both_engines

HOURS = 72


def asked(*, hours_ago: float = 0, **tool: object) -> Refill:
    """A Completed order and its refill, requested this long ago."""
    at = utc_now() - timedelta(hours=hours_ago)
    order = an_order(status=Status.COMPLETED, now=at, **tool)  # type: ignore[arg-type]
    with transaction():
        return refills.request_refill(order.id, customer_id=order.customer_id, now=at)


def taken(refill: Refill) -> Task:
    with transaction():
        task = refills.lease_task(refill.id, again_seconds=10, lease_seconds=60, now=utc_now())
    assert task is not None
    return task


def ran_at_provider(refill: Refill, given: str = "31") -> Task:
    """Let the provider accept the refill; returns the task that asks for its status."""
    task = taken(refill)
    with transaction():
        refills.record_outcome(task, Accepted(given), now=utc_now())
    return taken(refill)


def ended(refill: Refill | int, state: RefillState = RefillState.REFUSED, reason: str = "It never came.") -> None:
    refill_id = refill if isinstance(refill, int) else refill.id
    with transaction():
        refill_endings.end_by_operator(refill_id, state, reason=reason, actor="anna", now=utc_now())


def order_of(refill: Refill) -> Order:
    db.session.rollback()
    return db.session.get_one(Order, refill.order_id)


def reviews(kind: str, *, only_open: bool = True) -> list[Review]:
    db.session.rollback()
    found = db.session.scalars(select(Review).where(Review.kind == kind)).all()
    return [review for review in found if not only_open or review.resolved_at is None]


def transfers() -> int:
    return db.session.scalar(select(func.count()).select_from(Transfer)) or 0


def everything_of(refill: Refill) -> tuple[object, ...]:
    order, refill = order_of(refill), reload(refill)
    attempts = db.session.scalars(select(Attempt.state).where(Attempt.order_id == order.id)).all()
    return order.status, order.version, refill.state, refill.reason, refill.ended_at, refill.due_at, tuple(attempts)


def slow_reviews() -> int:
    with transaction():
        return timeouts.review_slow_refills(unconfirmed_hours=HOURS, now=utc_now())


@pytest.mark.parametrize("provider", ["simulated", "manual"])
def test_a_refill_open_for_too_long_opens_one_review(provider: str) -> None:
    refill = asked(hours_ago=HOURS + 1, provider=provider)
    asked(hours_ago=HOURS - 1, provider=provider)

    deadline_sweep.sweep(worker="test")
    deadline_sweep.sweep(worker="test")

    (review,) = reviews(ReviewKind.REFILL_SLOW)
    assert review.order_id == refill.order_id
    assert f"Refill {refill.id} of order {refill.order_id}" in review.text
    assert reload(refill).state == "requested"


def test_a_running_refill_is_reported_too_and_its_end_closes_the_review() -> None:
    refill = asked(hours_ago=HOURS + 1)
    task = ran_at_provider(refill)
    first, second = slow_reviews(), slow_reviews()

    with transaction():
        refills.apply_provider_state(task, "Completed", now=utc_now())

    assert (first, second) == (1, 0)
    assert reviews(ReviewKind.REFILL_SLOW) == []
    assert slow_reviews() == 0


def test_each_refill_of_an_order_has_a_review_of_its_own() -> None:
    refill = asked(hours_ago=2 * HOURS)
    slow_reviews()
    ended(refill)
    at, customer_id = utc_now(), order_of(refill).customer_id
    with transaction():
        refills.request_refill(refill.order_id, customer_id=customer_id, now=at)

    with transaction():
        opened = timeouts.review_slow_refills(unconfirmed_hours=HOURS, now=at + timedelta(hours=HOURS + 1))

    assert opened == 1
    assert len(reviews(ReviewKind.REFILL_SLOW, only_open=False)) == 2
    assert len(reviews(ReviewKind.REFILL_SLOW)) == 1


@pytest.mark.parametrize("provider", ["simulated", "manual"])
@pytest.mark.parametrize(
    ("state", "kept"), [(RefillState.COMPLETED, ""), (RefillState.REFUSED, "It never came.")], ids=str
)
def test_an_operator_ends_a_refill_of_any_provider(provider: str, state: RefillState, kept: str) -> None:
    refill = asked(provider=provider)
    money = transfers()

    ended(refill, state)

    order = order_of(refill)
    assert (reload(refill).state, refill.reason, refill.due_at) == (state, kept, None)
    assert (order.status, order.remains) == (Status.COMPLETED, 0)
    assert transfers() == money
    assert audit.audit().differences == ()
    (line,) = db.session.scalars(select(AuditLogEntry)).all()
    assert (line.actor, line.action, line.subject) == ("anna", "refills end", f"refill {refill.id}")
    assert line.detail == f"as {state}: It never came."


@pytest.mark.parametrize("is_unclear", [False, True])
def test_an_open_attempt_is_settled_and_a_late_answer_changes_nothing(is_unclear: bool) -> None:
    refill = asked()
    task = taken(refill)
    if is_unclear:
        with transaction():
            refills.record_outcome(task, Unclear("no answer"), now=utc_now())
    ended(refill)
    before = everything_of(refill)

    for outcome in (Accepted("31"), Unclear("gone")):
        with transaction():
            refills.record_outcome(task, outcome, now=utc_now())

    assert before[-1] == ("settled",)
    assert everything_of(refill) == before
    assert reviews("unconfirmed_refill") == []
    assert len(reviews("late_answer")) == 1
    assert audit.audit().differences == ()


def test_a_late_word_about_a_running_refill_changes_nothing() -> None:
    refill = asked()
    task = ran_at_provider(refill)
    ended(refill, RefillState.COMPLETED)
    before = everything_of(refill)

    for word in ("Rejected", "Completed", "Perhaps"):
        with transaction():
            refills.apply_provider_state(task, word, now=utc_now())

    assert everything_of(refill) == before
    assert reviews("refill_report") == []


def test_an_ended_refill_is_not_asked_for_and_the_next_one_may_be() -> None:
    refill = asked()
    ended(refill)
    customer_id = order_of(refill).customer_id

    with transaction():
        task = refills.lease_task(refill.id, again_seconds=10, lease_seconds=60, now=utc_now())
    with transaction():
        other = refills.request_refill(refill.order_id, customer_id=customer_id, now=utc_now())

    assert task is None
    assert reload(other).state == "requested"


def test_refill_that_cannot_be_ended_is_refused() -> None:
    refill = asked()
    with pytest.raises(NotFound, match="There is no refill 999"), transaction():
        refill_endings.end_by_operator(999, RefillState.REFUSED, reason="x", actor="anna", now=utc_now())
    for reason in ("", "  ", "x" * 201, "two\nlines"):
        with pytest.raises(BadInput):
            ended(refill, reason=reason)
    ended(refill, RefillState.COMPLETED)
    before = everything_of(refill)

    with pytest.raises(ActionRefused, match="has ended already: it is completed"):
        ended(refill)

    assert everything_of(refill) == before
    assert len(db.session.scalars(select(AuditLogEntry)).all()) == 1


def test_words_that_change_with_each_answer_open_few_reviews() -> None:
    refill = asked()
    task = ran_at_provider(refill)

    for number in range(50):
        with transaction():
            refills.apply_provider_state(task, f"Perhaps {number}", now=utc_now())

    found = reviews("refill_report")
    assert len(found) == 20
    assert [review for review in found if "not listed" in review.text] == [max(found, key=lambda each: each.id)]


def ran(app: Flask, *words: str) -> Result:
    db.session.rollback()
    done = app.test_cli_runner().invoke(args=["refills", *words])
    db.session.rollback()
    return done


def test_the_command_lists_open_refills_and_ends_one(app: Flask) -> None:
    refill, other = asked(), asked()
    first = ran(app, "list")
    rows = json.loads(ran(app, "list", "--json").stdout)

    done = ran(app, "end", str(refill.id), "--as", "refused", "--reason", "It never came.")
    twice = ran(app, "end", str(refill.id), "--as", "completed", "--reason", "Again.")

    assert [line.split("\t")[:4] for line in first.stdout.splitlines()] == [
        [str(each.id), str(each.order_id), "simulated", "requested"] for each in (refill, other)
    ]
    assert [row["id"] for row in rows] == [refill.id, other.id]
    assert (done.exit_code, done.stdout) == (0, "")
    assert (twice.exit_code, twice.stdout) == (1, "")
    assert twice.stderr == f"Error: Refill {refill.id} has ended already: it is refused.\n"
    assert len(ran(app, "list").stdout.splitlines()) == 1
    texts = db.session.scalars(
        select(OrderEvent.text).where(OrderEvent.order_id == refill.order_id).order_by(OrderEvent.id)
    ).all()
    assert texts[-1] == "The refill was refused. It never came."


def test_a_task_leased_at_the_same_time_is_ended_with_the_refill(app: Flask) -> None:
    refill = asked()
    refill_id = refill.id
    with transaction():
        task = refills.lease_task(refill_id, again_seconds=10, lease_seconds=60, now=utc_now())
        ending = start_in_thread(app, lambda: ended(refill_id))
        was_waiting = not ending.done()
    ending.result(30)

    assert task is not None
    assert was_waiting
    assert everything_of(refill)[2] == "refused"
    assert everything_of(refill)[-1] == ("settled",)


def test_a_refill_that_is_being_ended_is_not_leased(app: Flask) -> None:
    refill = asked()
    refill_id = refill.id

    def take() -> Task | None:
        with transaction():
            return refills.lease_task(refill_id, again_seconds=10, lease_seconds=60, now=utc_now())

    with transaction():
        refill_endings.end_by_operator(refill_id, RefillState.COMPLETED, reason="Seen.", actor="anna", now=utc_now())
        taking = start_in_thread(app, take)

    assert taking.result(30) is None
    assert everything_of(refill)[-1] == ()
