"""What time settles: callers that vanished, orders that stayed unconfirmed, orders that could not be handed over."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Row, select

from panel.db import db, lock_rows
from panel.domain.status import Status
from panel.models import IS_OPEN_ATTEMPT, Attempt, AttemptKind, AttemptState, Order, Review
from panel.services import dispatching, refill_ends, refills, transitions
from panel.services.transitions import OrderRow

NOT_DELIVERED = "The order could not be handed over to its provider in time. Nothing ran."
NEVER_CONFIRMED = "The provider never confirmed this order."
REFILL_NEVER_CONFIRMED = "The provider never confirmed the refill. You may ask for it again."


def expire_leases(*, now: datetime) -> int:
    """Intents whose holder has vanished: whether the call happened is unknown. How many there were."""
    attempts = _open_attempts(AttemptState.INTENT, Attempt.lease_until <= now)
    return _each(attempts, _expire, now=now)


def _expire(attempt: Attempt, order: OrderRow, *, now: datetime) -> None:
    dispatching.doubt(attempt, order, text="The worker vanished during the call.", now=now)


def give_up(*, unconfirmed_hours: float, dispatch_hours: float, now: datetime) -> int:
    """Cancel, with all money back, what was unconfirmed or could not be sent for too long. How many there were."""
    unconfirmed = _open_attempts(AttemptState.UNKNOWN, Attempt.at <= now - timedelta(hours=unconfirmed_hours))
    placed_before = now - timedelta(hours=dispatch_hours)
    # An operator who settled an attempt as not sent has given the order its whole time again.
    settled_lately = select(Review.id).where(
        Review.order_id == Order.id, Review.kind == "unconfirmed", Review.resolved_at > placed_before
    )
    waiting = db.session.scalars(
        select(Order.id)
        .where(Order.dispatch_at.is_not(None), Order.placed_at <= placed_before, ~settled_lately.exists())
        .limit(100)
    ).all()
    claimed = transitions.claim([*waiting, *(order_id for _, order_id in unconfirmed)])
    ended = _each(unconfirmed, _give_up, now=now)
    for order in (claimed[order_id] for order_id in waiting):
        # Meanwhile it may have been handed over.
        is_ours = order.status is Status.PENDING and order.provider_order_id is None
        if is_ours and not _has_open_attempt(order.id):
            dispatching.cancel_order(order, reason=NOT_DELIVERED, now=now)
            ended += 1
    return ended


def _give_up(attempt: Attempt, order: OrderRow, *, now: datetime) -> None:
    dispatching.answer(attempt, AttemptState.SETTLED, attempt.answer, now=now)
    if order.status is Status.PENDING:
        dispatching.cancel_order(order, reason=NEVER_CONFIRMED, now=now)
    dispatching.settle_review(order, "Canceled by time, with all money back.", now=now)


def _has_open_attempt(order_id: int) -> bool:
    attempt = select(Attempt.id).where(Attempt.order_id == order_id, Attempt.state.in_(dispatching.OPEN))
    return db.session.scalar(attempt.limit(1)) is not None


def _open_attempts(state: AttemptState, *where: object) -> list[tuple[int, int]]:
    statement = select(Attempt.id, Attempt.order_id).where(
        IS_OPEN_ATTEMPT,
        Attempt.kind == AttemptKind.ADD,
        Attempt.state == state,
        *where,  # type: ignore[arg-type]
    )
    return [(attempt_id, order_id) for attempt_id, order_id in db.session.execute(statement.limit(100))]


def _each(found: Sequence[tuple[int, int]], act: Callable[..., None], *, now: datetime) -> int:
    orders = transitions.claim([order_id for _, order_id in found])
    attempts = db.session.scalars(lock_rows(select(Attempt).where(Attempt.id.in_([each for each, _ in found])))).all()
    still_open = [each for each in attempts if each.state in dispatching.OPEN]
    for attempt in still_open:
        act(attempt, orders[attempt.order_id], now=now)
    return len(still_open)


def expire_refills(*, unconfirmed_hours: float, now: datetime) -> int:
    """The same for refills: what vanished callers left is unknown, what stayed unknown is refused. How many."""
    long_ago = now - timedelta(hours=unconfirmed_hours)
    found = select(Attempt.id, Attempt.order_id).where(IS_OPEN_ATTEMPT, Attempt.kind == AttemptKind.REFILL).limit(100)
    vanished = found.where(Attempt.state == AttemptState.INTENT, Attempt.lease_until <= now)
    unclear = found.where(Attempt.state == AttemptState.UNKNOWN, Attempt.at <= long_ago)
    left, unknown = (db.session.execute(each).all() for each in (vanished, unclear))
    transitions.claim([order_id for _, order_id in (*left, *unknown)])
    count = 0
    for order, attempt in _still(AttemptState.INTENT, left):
        refills.doubt(attempt, order, text="The worker vanished during the call.", now=now)
        count += 1
    for order, attempt in _still(AttemptState.UNKNOWN, unknown):
        refills.refuse_unconfirmed(attempt, order, reason=REFILL_NEVER_CONFIRMED, now=now)
        count += 1
    return count


def review_slow_refills(*, unconfirmed_hours: float, now: datetime) -> int:
    """A refill that is under way for too long may never end: an operator is told, once. How many are new."""
    return refill_ends.review_slow(asked_before=now - timedelta(hours=unconfirmed_hours), now=now)


def _still(state: AttemptState, found: Sequence[Row[int, int]]) -> Iterator[tuple[OrderRow, Attempt]]:
    """These attempts with their orders, held; without those that a caller has settled while we were looking."""
    for attempt_id, order_id in found:
        order = transitions.claim_one(order_id)
        attempt = dispatching.lock_attempt(attempt_id)
        if attempt.state == state:
            yield order, attempt
