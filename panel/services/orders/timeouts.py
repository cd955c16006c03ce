"""Timeouts: expired leases, orders that stayed unconfirmed, and orders that could not be sent."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select

from panel.db import db, lock_rows
from panel.domain.review_kind import ReviewKind
from panel.models import IS_OPEN_ATTEMPT, Attempt, AttemptKind, AttemptState, Order, OrderRun, Review
from panel.services.orders import dispatch, refill_endings, refills, runs, transitions
from panel.services.orders.transitions import OrderRow

# Batch size of one transaction.
BATCH = 100
NOT_DELIVERED = "The order could not be sent to the provider in time. Nothing was delivered."
NEVER_CONFIRMED = "The provider never confirmed this order."
REFILL_NEVER_CONFIRMED = "The provider never confirmed the refill. You can request it again."


def expire_leases(*, now: datetime) -> int:
    """Expire leases of dispatch attempts: whether the call was made is unknown. Returns how many."""
    attempts = _open_attempts(AttemptState.INTENT, Attempt.lease_until <= now)
    return _each(attempts, _expire, now=now)


def _expire(attempt: Attempt, order: OrderRow, *, now: datetime) -> None:
    dispatch.mark_unconfirmed(attempt, order, text="The worker vanished during the call.", now=now)


@dataclass(frozen=True, slots=True)
class Due:
    """What would time out now: the number of orders, the money they would return, and the number of refills."""

    orders: int
    returned_nanos: int
    refills: int

    @property
    def count(self) -> int:
        return self.orders + self.refills


def due(*, unconfirmed_hours: float, dispatch_hours: float, now: datetime) -> Due:
    """Orders and refills that have been unconfirmed or unsent for too long."""
    long_ago = now - timedelta(hours=unconfirmed_hours)
    unclear = _open_in(AttemptState.UNKNOWN, Attempt.at <= long_ago).subquery()
    waiting = _waiting(placed_before=now - timedelta(hours=dispatch_hours)).subquery()
    held = func.coalesce(func.sum(Order.charge_nanos - Order.kept_nanos - Order.returned_nanos), 0)
    found = [
        db.session.execute(select(func.count(), held).where(Order.id.in_(ids))).one()
        for ids in (select(unclear.c.order_id), select(waiting.c.id))
    ]
    refill_ids = _unclear_refills(asked_before=long_ago).subquery()
    return Due(
        orders=sum(row[0] for row in found),
        returned_nanos=sum(int(row[1]) for row in found),
        refills=db.session.scalar(select(func.count()).select_from(refill_ids)) or 0,
    )


def give_up(*, unconfirmed_hours: float, dispatch_hours: float, most: int = BATCH, now: datetime) -> int:
    """Cancel with a full refund orders that were unconfirmed or unsent for too long. Returns how many."""
    most = min(most, BATCH)
    unconfirmed = _open_attempts(
        AttemptState.UNKNOWN, Attempt.at <= now - timedelta(hours=unconfirmed_hours), most=most
    )
    found = _waiting(placed_before=now - timedelta(hours=dispatch_hours)).limit(most - len(unconfirmed))
    waiting = db.session.scalars(found).all()
    locked = transitions.lock_orders([*waiting, *(order_id for _, order_id in unconfirmed)])
    ended = _each(unconfirmed, _give_up, now=now)
    for order in (locked[order_id] for order_id in waiting):
        # It may have been sent since.
        if runs.can_be_sent(order) and order.provider_order_id is None and not _has_open_attempt(order.id):
            dispatch.cancel_order(order, reason=NOT_DELIVERED, now=now)
            ended += 1
    return ended


def _waiting(*, placed_before: datetime) -> Select[int]:
    """Ids of the orders that wait to be sent and were placed before this time."""
    # When an operator resolves an attempt as not sent, the order's time starts again.
    settled_lately = select(Review.id).where(
        Review.order_id == Order.id, Review.kind == ReviewKind.UNCONFIRMED, Review.resolved_at > placed_before
    )
    # A run of a drip-feed waits from when it was due.
    due = select(func.min(OrderRun.due_at)).where(OrderRun.order_id == Order.id, OrderRun.ended_at.is_(None))
    since = func.coalesce(due.scalar_subquery(), Order.placed_at)
    return select(Order.id).where(
        # A condition on `placed_at` alone would have SQLite read all orders by its index.
        Order.dispatch_at.is_not(None),
        since <= placed_before,
        ~settled_lately.exists(),
    )


def _give_up(attempt: Attempt, order: OrderRow, *, now: datetime) -> None:
    dispatch.record_attempt_state(attempt, AttemptState.SETTLED, attempt.answer, now=now)
    if runs.can_be_sent(order):
        dispatch.cancel_order(order, reason=NEVER_CONFIRMED, now=now)
    dispatch.resolve_review(order, "Canceled by time, with all money back.", now=now)


def _has_open_attempt(order_id: int) -> bool:
    attempt = select(Attempt.id).where(Attempt.order_id == order_id, Attempt.state.in_(dispatch.OPEN))
    return db.session.scalar(attempt.limit(1)) is not None


def _open_attempts(state: AttemptState, *where: ColumnElement[bool], most: int = BATCH) -> list[tuple[int, int]]:
    found = db.session.execute(_open_in(state, *where).limit(most))
    return [(attempt_id, order_id) for attempt_id, order_id in found]


def _open_in(state: AttemptState, *where: ColumnElement[bool]) -> Select[int, int]:
    kind = Attempt.kind == AttemptKind.ADD
    return select(Attempt.id, Attempt.order_id).where(IS_OPEN_ATTEMPT, kind, Attempt.state == state, *where)


def _each(found: Sequence[tuple[int, int]], end: Callable[..., None], *, now: datetime) -> int:
    orders = transitions.lock_orders([order_id for _, order_id in found])
    attempts = db.session.scalars(lock_rows(select(Attempt).where(Attempt.id.in_([each for each, _ in found])))).all()
    still_open = [each for each in attempts if each.state in dispatch.OPEN]
    for attempt in still_open:
        end(attempt, orders[attempt.order_id], now=now)
    return len(still_open)


def expire_refills(*, unconfirmed_hours: float, most: int = BATCH, now: datetime) -> int:
    """The same for refills: expired leases become unknown, and what stayed unknown is refused. Returns how many."""
    count = expire_refill_leases(now=now)
    return count + refuse_refills(unconfirmed_hours=unconfirmed_hours, most=most, now=now)


def expire_refill_leases(*, now: datetime) -> int:
    """Expire leases of refill attempts: whether the provider has the refill is unknown. Returns how many."""
    found = _refill_attempts().where(Attempt.state == AttemptState.INTENT, Attempt.lease_until <= now)
    count = 0
    for order, attempt in _still(AttemptState.INTENT, found, most=BATCH):
        refills.mark_unconfirmed(attempt, order, text="The worker vanished during the call.", now=now)
        count += 1
    return count


def refuse_refills(*, unconfirmed_hours: float, most: int = BATCH, now: datetime) -> int:
    """Refuse refills that stayed unconfirmed for too long. Returns how many."""
    found = _unclear_refills(asked_before=now - timedelta(hours=unconfirmed_hours))
    count = 0
    for order, attempt in _still(AttemptState.UNKNOWN, found, most=min(most, BATCH)):
        refills.refuse_unconfirmed(attempt, order, reason=REFILL_NEVER_CONFIRMED, now=now)
        count += 1
    return count


def _unclear_refills(*, asked_before: datetime) -> Select[int, int]:
    return _refill_attempts().where(Attempt.state == AttemptState.UNKNOWN, Attempt.at <= asked_before)


def _refill_attempts() -> Select[int, int]:
    return select(Attempt.id, Attempt.order_id).where(IS_OPEN_ATTEMPT, Attempt.kind == AttemptKind.REFILL)


def review_slow_refills(*, unconfirmed_hours: float, now: datetime) -> int:
    """Open a review, once, for each refill that has been open for too long. Returns how many are new."""
    return refill_endings.review_slow(asked_before=now - timedelta(hours=unconfirmed_hours), now=now)


def _still(state: AttemptState, found: Select[int, int], *, most: int) -> Iterator[tuple[OrderRow, Attempt]]:
    """Those of these attempts that are still open, with their orders, locked."""
    rows = db.session.execute(found.limit(most)).all()
    transitions.lock_orders([order_id for _, order_id in rows])
    for attempt_id, order_id in rows:
        order = transitions.lock_order(order_id)
        attempt = dispatch.lock_attempt(attempt_id)
        if attempt.state == state:
            yield order, attempt
