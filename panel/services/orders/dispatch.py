"""Order dispatch: sends each order to its provider at most once.

Every attempt is committed as an intent before the call, and its outcome is recorded after it. A unique index allows one
open attempt per order. An order is retried only after an answer that proves it was not accepted. Any other outcome is
unknown, and is resolved by an operator or a timeout, never by a second call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, insert, null, or_, select, update

from panel.db import db, lock_rows, table_of
from panel.db.compiled_statements import CompiledStatement, in_list
from panel.domain.forms import drip_feed
from panel.domain.forms.own_fields import form_of
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import (
    Attempt,
    AttemptKind,
    AttemptState,
    Cancellation,
    CancellationState,
    Order,
    Provider,
    Terms,
)
from panel.providers.base import Accepted, NewOrder, NotSent, Outcome, Refused, Unclear
from panel.services import customer_version, reviews
from panel.services.orders import fail_over, order_fields, runs, transitions
from panel.services.orders.runs import is_provider_id_taken
from panel.services.orders.transitions import Note, OrderRow
from panel.services.providers import call_slots
from panel.services.providers import health as provider_health

UNCONFIRMED = (
    "The provider has not confirmed that it received this order. It is not sent again automatically: "
    "either it is confirmed, or it is canceled and the whole amount goes back to your balance."
)
STOPPED = "Canceled at your request before it was sent to the provider."
# Reason of an attempt whose call was never started.
NOT_CALLED = "The call was not made."
FIRST_WAIT_SECONDS = 5
MAX_WAIT_SECONDS = 300


@dataclass(frozen=True)
class Assignment:
    """An order to send now, whose intent is already committed."""

    attempt_id: int
    order: NewOrder
    provider_id: int
    lease_until: datetime
    customer_id: int


OPEN = (AttemptState.INTENT, AttemptState.UNKNOWN)
ORDERS = table_of(Order)

_UNDUE = CompiledStatement(lambda: update(ORDERS).where(in_list(ORDERS.c.id, "ids")).values(dispatch_at=null()))


def lanes_wanted(*, now: datetime) -> dict[int, int]:
    """Callable providers with orders waiting to be sent, and how many of these may be sent concurrently."""
    return call_slots.lanes(
        {provider_id: _waiting(provider_id, now=now) for provider_id in db.session.scalars(_with_work(now))}
    )


def _waiting(provider_id: int, *, now: datetime) -> int:
    some = select(Order.id).where(Order.provider_id == provider_id, Order.dispatch_at <= now).limit(call_slots.MOST)
    return db.session.scalar(select(func.count()).select_from(some.subquery())) or 0


def _with_work(now: datetime) -> Select[int]:
    due = select(Order.id).where(Order.provider_id == Provider.id, Order.dispatch_at <= now).exists()
    return select(Provider.id).where(due, *provider_health.takes_orders(now))


def open_attempts(
    provider_id: int, *, most: int, lease_seconds: float, after_customer: int = 0, now: datetime
) -> list[Assignment]:
    """Commit intents for due orders of this provider; the caller makes each call once, within the lease.

    Round-robin between customers: the next customer after `after_customer` with an order waiting comes first.
    """
    lease_until = now + timedelta(seconds=lease_seconds)
    rows = _due(provider_id, Order.customer_id > after_customer, most=most, now=now)
    rows = rows or _due(provider_id, Order.customer_id <= after_customer, most=most, now=now)
    if not rows or not provider_health.may_probe(provider_id, until=lease_until, now=now):
        return []
    values = [
        {
            "order_id": row.id,
            "provider_id": provider_id,
            "kind": AttemptKind.ADD,
            "state": AttemptState.INTENT,
            "at": now,
            "lease_until": lease_until,
            "answer": "",
        }
        for row in rows
    ]
    returned = db.session.execute(insert(Attempt).returning(Attempt.id, Attempt.order_id), values)
    attempts = {order_id: attempt_id for attempt_id, order_id in returned}
    _UNDUE.execute([{"ids": list(attempts)}])
    fields = order_fields.of_orders([row.id for row in rows])
    return [
        Assignment(
            attempts[row.id],
            _new_order(row, fields.get(row.id, {})),
            provider_id,
            lease_until,
            row.customer_id,
        )
        for row in rows
    ]


def _new_order(row: Row[Any], values: Mapping[str, str]) -> NewOrder:
    """The order as the provider gets it: a quantity only where the customer enters one."""
    form = form_of(row.order_type, row.quantity_rule, row.own_fields)
    quantity = row.pieces if form.takes_quantity else None
    # Drip-feed is ours: the provider gets each run as an order of its own.
    sent = tuple((name, value) for name, value in values.items() if name not in drip_feed.NAMES)
    return NewOrder(row.id, row.provider_service, row.link, quantity, sent)


_FORM = (Terms.order_type, Terms.quantity_rule, Terms.own_fields)


def _due(provider_id: int, whose: ColumnElement[bool], *, most: int, now: datetime) -> Sequence[Row[Any]]:
    """The next due orders, ordered by customer, locked until the transaction ends."""
    due = (
        select(Order.id, Order.provider_service, Order.link, runs.PIECES.label("pieces"), Order.customer_id, *_FORM)
        .join(Terms, Terms.id == Order.terms_id)
        .where(Order.provider_id == provider_id, Order.dispatch_at <= now, whose)
        .where(or_(Order.status == Status.PENDING, runs.HAS_RUNS), Order.provider_order_id.is_(None))
        .order_by(Order.customer_id, Order.dispatch_at, Order.id)
        .limit(most)
    )
    return db.session.execute(lock_rows(due, of=Order, skip_locked=True)).all()


def record_outcome(attempt_id: int, outcome: Outcome, *, now: datetime) -> None:
    """Record the outcome of a call. A late answer for an order that has ended changes only the attempt."""
    order_id = db.session.scalars(select(Attempt.order_id).where(Attempt.id == attempt_id)).one()
    order = transitions.lock_order(order_id)
    attempt = lock_attempt(attempt_id)
    if attempt.state not in OPEN or not runs.can_be_sent(order):
        _too_late(attempt, order, outcome, now=now)
        return
    if isinstance(outcome, Accepted) and (
        not outcome.provider_id or is_provider_id_taken(order.provider_id, outcome.provider_id)
    ):
        outcome = Unclear(f"The provider answered with the id {outcome.provider_id[:40]!r}, which another order has.")
    match outcome:
        case Accepted(provider_id=given):
            accept(attempt, order, given=given, now=now)
        case Refused(has_no_service=True, text=text):
            record_attempt_state(attempt, AttemptState.REFUSED, f"{fail_over.NO_SERVICE}{text}", now=now)
            if not fail_over.pass_on_refused(order, now=now):
                cancel_order(order, reason=text, now=now)
        case Refused(is_final=True, text=text):
            record_attempt_state(attempt, AttemptState.REFUSED, text, now=now)
            cancel_order(order, reason=text, now=now)
        case Refused(stops_provider=True, text=text):
            record_attempt_state(attempt, AttemptState.REFUSED, text, now=now)
            # The provider is paused now: the order waits for it, or goes to another one.
            queue_again(order, at=now, now=now)
        case Refused(text=text):
            record_attempt_state(attempt, AttemptState.REFUSED, text, now=now)
            _wait(order, now=now)
        case NotSent(text=text):
            record_attempt_state(attempt, AttemptState.NOT_SENT, text, now=now)
            _wait(order, now=now)
        case Unclear(text=text):
            mark_unconfirmed(attempt, order, text=text, now=now)
    provider_health.heard_of_order(attempt.provider_id, outcome, began=attempt.at, now=now)


def release_assignments(assignments: Sequence[Assignment], *, now: datetime) -> None:
    """Give back intents whose calls were never started: the orders are due again immediately."""
    orders = transitions.lock_orders([assignment.order.order_id for assignment in assignments])
    for assignment in assignments:
        order = orders[assignment.order.order_id]
        attempt = lock_attempt(assignment.attempt_id)
        if attempt.state in OPEN and runs.can_be_sent(order):
            record_attempt_state(attempt, AttemptState.NOT_SENT, NOT_CALLED, now=now)
            queue_again(order, at=now, now=now)


def lock_attempt(attempt_id: int) -> Attempt:
    return db.session.execute(lock_rows(select(Attempt).where(Attempt.id == attempt_id))).scalar_one()  # type: ignore[no-any-return]


def accept(attempt: Attempt, order: OrderRow, *, given: str, now: datetime) -> None:
    """Record that the provider accepted the order under this id, which must be unique."""
    record_attempt_state(attempt, AttemptState.SENT, given, now=now)
    transitions.set_schedule(order, provider_order_id=given, sync_at=now, dispatch_at=None, unconfirmed_at=None)
    sent = runs.mark_sent(order, given=given, now=now) if order.has_runs else "Sent to the provider."
    transitions.add_notes([Note(order, sent)], now=now)
    if order.is_asked_to_stop:
        _pass_on_cancellation(order.id, now=now)
    resolve_review(order, "The provider confirmed the order.", now=now)


def mark_unconfirmed(attempt: Attempt, order: OrderRow, *, text: str, now: datetime) -> None:
    """Mark an order as unconfirmed: it may or may not have been accepted, so open a review and never retry."""
    is_known = attempt.state == AttemptState.UNKNOWN
    record_attempt_state(attempt, AttemptState.UNKNOWN, text, now=now)
    if is_known:
        return
    transitions.set_schedule(order, unconfirmed_at=attempt.at, dispatch_at=None)
    transitions.add_notes([Note(order, unconfirmed_text(order.quantity, order.remains))], now=now)
    reviews.open_review(
        ReviewKind.UNCONFIRMED,
        order_id=order.id,
        provider_id=order.provider_id,
        text=f"It is not known whether the provider has order {order.id}.",
        raw=f"attempt {attempt.id}: {text}"[:200],
        now=now,
    )


def unconfirmed_text(quantity: int, remains: int) -> str:
    """Text for the customer: after the first run of a drip-feed, only a part can come back."""
    return UNCONFIRMED if remains == quantity else runs.UNCONFIRMED_RUN


def cancel_order(order: OrderRow, *, reason: str, now: datetime) -> None:
    """Cancel the order with a full refund; one whose earlier runs delivered something ends as Partial."""
    to, remains = runs.end(order, now=now)
    transitions.move_order(order, to, remains=remains, reason=reason, text=reason, now=now)


def record_attempt_state(attempt: Attempt, state: AttemptState, text: str, *, now: datetime) -> None:
    attempt.state, attempt.answer, attempt.answered_at = state, text[:200], now
    db.session.flush()


def _wait(order: OrderRow, *, now: datetime) -> None:
    """Requeue the order with back-off."""
    calls = select(Attempt.id).where(Attempt.order_id == order.id, Attempt.answer != NOT_CALLED)
    calls = calls.where(Attempt.state != AttemptState.SENT)  # earlier runs of a drip-feed are no failed tries
    tries = len(db.session.scalars(calls).all())
    seconds = min(FIRST_WAIT_SECONDS * 2 ** min(tries - 1, 10), MAX_WAIT_SECONDS)
    queue_again(order, at=now + timedelta(seconds=seconds), now=now)


def queue_again(order: OrderRow, *, at: datetime, now: datetime) -> None:
    """Requeue an order no provider has at this time, or cancel it now if the customer requested that."""
    resolve_review(order, "The provider does not have the order.", now=now)
    asked = select(Cancellation.id).where(
        Cancellation.order_id == order.id, Cancellation.state == CancellationState.ASKED
    )
    if db.session.scalar(asked) is not None:
        cancel_order(order, reason=STOPPED, now=now)
        return
    transitions.set_schedule(order, dispatch_at=at, unconfirmed_at=None)
    # Open pages may show it as unconfirmed.
    customer_version.bump([order.customer_id])


def _pass_on_cancellation(order_id: int, *, now: datetime) -> None:
    """Pass on a cancellation that the customer requested while the call was running."""
    db.session.execute(
        update(Cancellation)
        .where(Cancellation.order_id == order_id, Cancellation.state == CancellationState.ASKED)
        .values(due_at=now)
    )
    reviews.close(ReviewKind.CANCEL_BY_HAND, order_id=order_id, resolution="Passed on to the provider.", now=now)


def resolve_review(order: OrderRow, resolution: str, *, now: datetime) -> None:
    reviews.close(ReviewKind.UNCONFIRMED, order_id=order.id, resolution=resolution, now=now)


def _too_late(attempt: Attempt, order: OrderRow, outcome: Outcome, *, now: datetime) -> None:
    if attempt.state in OPEN:
        record_attempt_state(attempt, AttemptState.SETTLED, attempt.answer, now=now)
    if isinstance(outcome, NotSent | Refused):
        return
    text = outcome.provider_id if isinstance(outcome, Accepted) else outcome.text
    transitions.add_notes(
        [Note(order, "An answer of the provider came after the order had been settled.", raw=text[:200])],
        now=now,
    )
    reviews.open_review(
        ReviewKind.LATE_ANSWER,
        order_id=order.id,
        provider_id=order.provider_id,
        text=f"The provider answered for order {order.id} after it had been settled.",
        raw=text[:200],
        now=now,
    )
