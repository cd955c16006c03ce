"""Handing orders over to providers so that none is ever handed over twice.

An attempt is committed as an intent before the call and settled after it. At most one is open for an order, by a
unique index. Only an answer that proves "not taken" lets a later attempt happen; everything else is
unknown, and an unknown attempt is settled by an operator or by time, never by a second call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from panel.db import db, lock_rows
from panel.domain.status import Status
from panel.models import Attempt, AttemptKind, AttemptState, Order, Provider
from panel.providers.base import Accepted, NewOrder, NotSent, Outcome, Refused
from panel.services import provider_health, reviews, transitions
from panel.services.transitions import Note, OrderRow

UNCONFIRMED = (
    "The provider has not confirmed that it received this order. It will not be sent again by itself: "
    "it is confirmed, or canceled and the whole amount returned to your balance."
)
NOT_DELIVERED = "The order could not be handed over to its provider in time. Nothing ran."
NEVER_CONFIRMED = "The provider never confirmed this order."
FIRST_WAIT_SECONDS = 5
LONGEST_WAIT_SECONDS = 300


@dataclass(frozen=True)
class Assignment:
    """One order to hand over now, under an intent that is already committed."""

    attempt_id: int
    order: NewOrder
    provider_id: int
    lease_until: datetime


def providers_with_work(*, now: datetime) -> list[int]:
    """The providers that may be called and have orders waiting to be handed over."""
    return list(
        db.session.scalars(
            select(Order.provider_id)
            .join(Provider, Provider.id == Order.provider_id)
            .where(Order.dispatch_at <= now, *provider_health.callable_now(now))
            .distinct()
        )
    )


def open_attempts(provider_id: int, *, most: int, lease_seconds: float, now: datetime) -> list[Assignment]:
    """Write intents for orders that are due at this provider; whoever gets them calls once, within the lease."""
    due = (
        select(Order.id, Order.provider_service, Order.link, Order.quantity)
        .where(Order.provider_id == provider_id, Order.dispatch_at <= now, Order.status == Status.PENDING)
        .order_by(Order.dispatch_at, Order.id)
        .limit(most)
    )
    lease_until = now + timedelta(seconds=lease_seconds)
    rows = db.session.execute(_skip_taken(due)).all()
    if not rows:
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
    db.session.execute(update(Order).where(Order.id.in_(attempts)).values(dispatch_at=None))
    return [
        Assignment(
            attempts[row.id],
            NewOrder(row.id, row.provider_service, row.link, row.quantity),
            provider_id,
            lease_until,
        )
        for row in rows
    ]


def _skip_taken(statement: Any) -> Any:
    is_sqlite = db.engine.dialect.name == "sqlite"
    return statement if is_sqlite else statement.with_for_update(skip_locked=True, of=Order)


def settle(attempt_id: int, outcome: Outcome, *, now: datetime) -> None:
    """Write down what came of a call. A late answer to an order that has ended changes nothing but the record."""
    order_id = db.session.scalars(select(Attempt.order_id).where(Attempt.id == attempt_id)).one()
    order = transitions.claim_one(order_id)
    attempt = db.session.scalars(lock_rows(select(Attempt).where(Attempt.id == attempt_id))).one()
    if attempt.state not in (AttemptState.INTENT, AttemptState.UNKNOWN) or order.status is not Status.PENDING:
        _too_late(attempt, order, outcome, now=now)
        return
    match outcome:
        case Accepted(provider_id=given):
            accept(attempt, order, given=given, now=now)
        case Refused(is_final=True, text=text):
            _answer(attempt, AttemptState.REFUSED, text, now=now)
            cancel_order(order, reason=text, now=now)
        case Refused(text=text):
            _answer(attempt, AttemptState.REFUSED, text, now=now)
            _wait(order, now=now)
            provider_health.refused(attempt.provider_id, text=text, stops=outcome.stops_provider, now=now)
        case NotSent(text=text):
            _answer(attempt, AttemptState.NOT_SENT, text, now=now)
            _wait(order, now=now)
            provider_health.failed(attempt.provider_id, text=text, now=now)
        case _:
            doubt(attempt, order, text=outcome.text, now=now)


def accept(attempt: Attempt, order: OrderRow, *, given: str, now: datetime) -> None:
    """The provider has the order under this id. An id that another order has proves nothing."""
    taken = select(Order.id).where(Order.provider_id == order.provider_id, Order.provider_order_id == given)
    if not given or db.session.scalar(taken) is not None:
        doubt(
            attempt,
            order,
            text=f"The provider answered with the id {given[:40]!r}, which another order has.",
            now=now,
        )
        return
    _answer(attempt, AttemptState.SENT, given, now=now)
    transitions.mark(order, provider_order_id=given, sync_at=now, dispatch_at=None, unconfirmed_at=None)
    transitions.tell([Note(order, "Handed over for delivery.")], now=now)
    provider_health.answered(order.provider_id)


def doubt(attempt: Attempt, order: OrderRow, *, text: str, now: datetime) -> None:
    """It is not known whether the provider has the order: say so, open a review, and never send it again."""
    if attempt.state == AttemptState.UNKNOWN:
        return
    _answer(attempt, AttemptState.UNKNOWN, text, now=now)
    transitions.mark(order, unconfirmed_at=attempt.at, dispatch_at=None)
    transitions.tell([Note(order, UNCONFIRMED)], now=now)
    reviews.open_review(
        "unconfirmed",
        order_id=order.id,
        provider_id=order.provider_id,
        text=f"It is not known whether the provider has order {order.id}.",
        raw=text[:200],
        now=now,
    )


def cancel_order(order: OrderRow, *, reason: str, now: datetime) -> None:
    """End the order as Canceled with all money back."""
    transitions.move_order(order, Status.CANCELED, remains=order.quantity, reason=reason, text=reason, now=now)


def expire_leases(*, now: datetime) -> int:
    """Intents whose holder has vanished: whether the call happened is unknown. How many there were."""
    attempts = _open_attempts(AttemptState.INTENT, Attempt.lease_until <= now)
    return _each(attempts, _expire, now=now)


def _expire(attempt: Attempt, order: OrderRow, *, now: datetime) -> None:
    doubt(attempt, order, text="The worker vanished during the call.", now=now)


def give_up(*, unconfirmed_hours: float, dispatch_hours: float, now: datetime) -> int:
    """Cancel, with all money back, what was unconfirmed or could not be sent for too long. How many there were."""
    unconfirmed = _open_attempts(AttemptState.UNKNOWN, Attempt.at <= now - timedelta(hours=unconfirmed_hours))
    ended = _each(unconfirmed, _give_up, now=now)
    placed_before = now - timedelta(hours=dispatch_hours)
    waiting = db.session.scalars(
        select(Order.id).where(Order.dispatch_at.is_not(None), Order.placed_at <= placed_before).limit(100)
    ).all()
    for order in transitions.claim(waiting).values():
        if order.status is Status.PENDING and not _has_open_attempt(order.id):
            cancel_order(order, reason=NOT_DELIVERED, now=now)
            ended += 1
    return ended


def _give_up(attempt: Attempt, order: OrderRow, *, now: datetime) -> None:
    _answer(attempt, AttemptState.SETTLED, attempt.answer, now=now)
    if order.status is Status.PENDING:
        cancel_order(order, reason=NEVER_CONFIRMED, now=now)


def _has_open_attempt(order_id: int) -> bool:
    states = (AttemptState.INTENT, AttemptState.UNKNOWN)
    return bool(
        db.session.scalar(select(Attempt.id).where(Attempt.order_id == order_id, Attempt.state.in_(states)).limit(1))
    )


def _open_attempts(state: AttemptState, *where: object) -> list[tuple[int, int]]:
    statement = select(Attempt.id, Attempt.order_id).where(
        Attempt.kind == AttemptKind.ADD,
        Attempt.state == state,
        *where,  # type: ignore[arg-type]
    )
    return [(attempt_id, order_id) for attempt_id, order_id in db.session.execute(statement.limit(100))]


def _each(found: Sequence[tuple[int, int]], act, *, now: datetime) -> int:  # type: ignore[no-untyped-def]
    orders = transitions.claim([order_id for _, order_id in found])
    attempts = db.session.scalars(lock_rows(select(Attempt).where(Attempt.id.in_([each for each, _ in found])))).all()
    still_open = [each for each in attempts if each.state in (AttemptState.INTENT, AttemptState.UNKNOWN)]
    for attempt in still_open:
        act(attempt, orders[attempt.order_id], now=now)
    return len(still_open)


def _answer(attempt: Attempt, state: AttemptState, text: str, *, now: datetime) -> None:
    attempt.state, attempt.answer, attempt.answered_at = state, text[:200], now
    db.session.flush()


def _wait(order: OrderRow, *, now: datetime) -> None:
    """Queue the order again, later each time."""
    tries = len(db.session.scalars(select(Attempt.id).where(Attempt.order_id == order.id)).all())
    seconds = min(FIRST_WAIT_SECONDS * 2 ** min(tries - 1, 10), LONGEST_WAIT_SECONDS)
    transitions.mark(order, dispatch_at=now + timedelta(seconds=seconds))


def _too_late(attempt: Attempt, order: OrderRow, outcome: Outcome, *, now: datetime) -> None:
    if isinstance(outcome, NotSent | Refused):
        return
    text = outcome.provider_id if isinstance(outcome, Accepted) else outcome.text
    transitions.tell(
        [Note(order, "An answer of the provider came after the order had been settled.", raw=text[:200])],
        now=now,
    )
    reviews.open_review(
        "late_answer",
        order_id=order.id,
        provider_id=order.provider_id,
        text=f"The provider answered for order {order.id} after it had been settled.",
        raw=text[:200],
        now=now,
    )
