"""Refills ended by operators, because they don't end by themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.domain.errors import ActionRefused, NotFound
from panel.domain.provider_kind import ProviderKind
from panel.domain.refill import RefillState
from panel.domain.review_kind import ReviewKind
from panel.models import IS_OPEN_REFILL, Attempt, AttemptKind, Order, Provider, Refill, Review
from panel.services import audit_log, reviews
from panel.services.orders import refills, transitions
from panel.services.orders.transitions import Note, OrderRow


@dataclass(frozen=True, slots=True)
class OpenRefill:
    """An open refill with its order and provider."""

    id: int
    order_id: int
    provider: str
    state: RefillState
    provider_refill_id: str | None
    asked_at: datetime


def open_refills() -> list[OpenRefill]:
    """All open refills, oldest first."""
    rows = db.session.execute(
        select(
            Refill.id,
            Refill.order_id,
            Provider.name,
            Refill.state,
            Refill.provider_refill_id,
            Refill.asked_at,
        )
        .join(Order, Order.id == Refill.order_id)
        .join(Provider, Provider.id == Order.provider_id)
        .where(IS_OPEN_REFILL)
        .order_by(Refill.asked_at, Refill.id)
    )
    return [OpenRefill(row[0], row[1], row[2], RefillState(row[3]), row[4], row[5]) for row in rows]


def begin_by_operator(refill_id: int, *, actor: str, now: datetime) -> None:
    """Record that the refill of a manual order has started. Raises NotFound or Refused."""
    order, refill = _locked(refill_id)
    if refills.provider_kind(order.provider_id) != ProviderKind.MANUAL:
        raise ActionRefused(f"Refill {refill_id} is a provider’s: what the provider says of it moves it.")
    if RefillState(refill.state) is not RefillState.REQUESTED:
        raise ActionRefused(f"Refill {refill_id} was started already: it is {refill.state}.")
    refill.state, refill.accepted_at, refill.running_at = RefillState.RUNNING, now, now
    refills.notify_webhooks(refill, order, now=now)
    transitions.add_notes([Note(order, "The refill is running, by hand.")], now=now)
    audit_log.write("refills begin", actor=actor, subject=f"refill {refill_id}", detail="by hand", now=now)


def end_by_operator(refill_id: int, state: RefillState, *, reason: str, actor: str, now: datetime) -> None:
    """End an open refill of any provider; later answers are ignored. Raises NotFound, BadInput or Refused.

    The customer sees the reason of a refusal.
    """
    reason = audit_log.checked_reason(reason)
    if state.is_open:
        raise ValueError(f"{state} is no end of a refill")
    order, refill = _locked(refill_id)
    if not RefillState(refill.state).is_open:
        raise ActionRefused(f"Refill {refill_id} has ended already: it is {refill.state}.")
    for attempt in _open_attempts(order.id):
        refills.resolve_attempt(attempt, order, resolution="An operator ended the refill.", now=now)
    refills.end_refill(refill, order, state, reason=reason if state is RefillState.REFUSED else "", now=now)
    detail = f"as {state}: {reason}"
    audit_log.write("refills end", actor=actor, subject=f"refill {refill_id}", detail=detail, now=now)


def _locked(refill_id: int) -> tuple[OrderRow, Refill]:
    """The refill and its order, both locked and read after locking."""
    order_id = db.session.scalar(select(Refill.order_id).where(Refill.id == refill_id))
    if order_id is None:
        raise NotFound(f"There is no refill {refill_id}.")
    order = transitions.lock_order(order_id)
    held = lock_rows(select(Refill).where(Refill.id == refill_id))
    return order, db.session.execute(held, execution_options={"populate_existing": True}).scalar_one()


def _open_attempts(order_id: int) -> Sequence[Attempt]:
    mine = select(Attempt).where(Attempt.order_id == order_id, Attempt.kind == AttemptKind.REFILL)
    return db.session.scalars(lock_rows(mine.where(Attempt.state.in_(refills.OPEN)))).all()


def review_slow(*, asked_before: datetime, now: datetime) -> int:
    """Open one review for each refill that has been open since before this time. Returns how many are new."""
    known = select(Review.id).where(
        Review.kind == ReviewKind.REFILL_SLOW, Review.order_id == Refill.order_id, Review.opened_at >= Refill.asked_at
    )
    slow = db.session.execute(
        select(Refill.id, Refill.order_id, Order.provider_id)
        .join(Order, Order.id == Refill.order_id)
        .where(IS_OPEN_REFILL, Refill.asked_at <= asked_before, ~known.exists())
        .order_by(Refill.asked_at, Refill.id)
        .limit(100)
    ).all()
    # Locked, so that no refill ends between this check and its review.
    transitions.lock_orders([order_id for _, order_id, _ in slow])
    return sum(_review(*row, now=now) for row in slow)


def _review(refill_id: int, order_id: int, provider_id: int, *, now: datetime) -> bool:
    refill = db.session.get_one(Refill, refill_id)
    if not RefillState(refill.state).is_open:
        return False
    text = f"Refill {refill_id} of order {order_id} is still {refill.state}. End it by hand if the provider never will."
    return reviews.open_review(ReviewKind.REFILL_SLOW, order_id=order_id, provider_id=provider_id, text=text, now=now)
