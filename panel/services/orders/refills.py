"""Refills: a task beside a Completed order. Only the end of the task moves the order out of Refill."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select

from panel.db import db, lock_rows
from panel.domain import refill as rules
from panel.domain.errors import NotFound, RefillNotAvailable
from panel.domain.provider_kind import ProviderKind
from panel.domain.refill import REPORTED_STATES, RefillState
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import Attempt, AttemptKind, AttemptState, EventSource, Order, Provider, Refill, Terms
from panel.providers.base import Accepted, NotSent, Outcome, Refused, StatusRequest, Unclear
from panel.services import reviews, webhooks
from panel.services.closed_accounts import check_open
from panel.services.mail import notifications
from panel.services.orders import runs, transitions
from panel.services.orders.transitions import Note, OrderRow
from panel.services.providers import health as provider_health

NOT_OF_RUNS = "Drip-feed orders have no refill: the provider knows each run as an order of its own."
RETRY_SECONDS = 30
# Refills of one provider per sweep.
BATCH = 200
OPEN = (AttemptState.INTENT, AttemptState.UNKNOWN)


@dataclass(frozen=True)
class Task:
    """A leased refill: to request from the provider (`attempt_id`), or to poll (`provider_refill_id`)."""

    refill_id: int
    provider_id: int
    ask: StatusRequest
    attempt_id: int | None
    lease_until: datetime
    provider_refill_id: str | None


def refusal_reason(order_id: int, *, now: datetime) -> str | None:
    """Why this order can't be refilled now, as a sentence; None if it can."""
    row = db.session.execute(
        select(Order.status, Order.completed_at, Terms.refill_days)
        .join(Terms, Terms.id == Order.terms_id)
        .where(Order.id == order_id)
    ).one()
    if runs.of_order(order_id):
        return NOT_OF_RUNS
    return rules.why_not(
        status=Status(row.status),
        refill_days=row.refill_days,
        completed_at=row.completed_at,
        is_open=open_refill_of(order_id) is not None,
        now=now,
    )


def request_refill(order_id: int, *, customer_id: int, now: datetime) -> Refill:
    """Request a refill; the order moves to Refill. Raises NotFound or RefillNotAvailable with the reason."""
    order = transitions.lock_order(order_id)
    if order.customer_id != customer_id:
        raise NotFound(f"There is no order {order_id}.")
    check_open([customer_id])
    reason = refusal_reason(order_id, now=now)
    if reason is not None:
        raise RefillNotAvailable(reason)
    is_manual = provider_kind(order.provider_id) == ProviderKind.MANUAL
    refill = Refill(order_id=order_id, state=RefillState.REQUESTED, asked_at=now, due_at=None if is_manual else now)
    db.session.add(refill)
    transitions.move_order(
        order, Status.REFILL, remains=order.remains, source=EventSource.YOU, text="Refill requested.", now=now
    )
    notify_webhooks(refill, order, now=now)
    if is_manual:
        text = f"Order {order_id} waits for a refill by hand (refill {refill.id})."
        reviews.open_review(ReviewKind.REFILL_BY_HAND, order_id=order_id, text=text, now=now)
    db.session.flush()
    return refill


def provider_kind(provider_id: int) -> str | None:
    """Kind of this provider."""
    return db.session.scalar(select(Provider.kind).where(Provider.id == provider_id))


def open_refill_of(order_id: int) -> Refill | None:
    states = [state for state in RefillState if state.is_open]
    return db.session.scalar(select(Refill).where(Refill.order_id == order_id, Refill.state.in_(states)))


def refills_of_order(order_id: int) -> list[Refill]:
    """All refills of an order, newest first."""
    return list(db.session.scalars(select(Refill).where(Refill.order_id == order_id).order_by(Refill.id.desc())))


def providers_with_work(*, now: datetime) -> list[int]:
    """Callable providers with due refills."""
    at_provider = select(Refill.id).join(Order, Order.id == Refill.order_id).where(Order.provider_id == Provider.id)
    is_due = at_provider.where(Refill.due_at <= now).exists()
    return list(db.session.scalars(select(Provider.id).where(is_due, *provider_health.callable_now(now))))


def due_ids(provider_id: int, *, now: datetime) -> list[int]:
    """Ids of this provider's due refills, oldest first."""
    mine = select(Refill.id).join(Order, Order.id == Refill.order_id).where(Order.provider_id == provider_id)
    return list(db.session.scalars(mine.where(Refill.due_at <= now).order_by(Refill.due_at).limit(BATCH)))


def lease_task(refill_id: int, *, again_seconds: float, lease_seconds: float, now: datetime) -> Task | None:
    """Lease one refill, with an intent if the call must not happen twice; None if another worker has it."""
    # Lock order: the order's row before the refill's, as everywhere that ends a refill.
    mine = select(Refill.order_id).where(Refill.id == refill_id).scalar_subquery()
    db.session.execute(lock_rows(select(Order.id).where(Order.id == mine)))
    refill = db.session.scalar(lock_rows(select(Refill).where(Refill.id == refill_id)))
    if refill is None or refill.due_at is None or refill.due_at > now:
        return None
    order = db.session.get_one(Order, refill.order_id)
    ask = StatusRequest(order.id, order.provider_order_id or "", order.provider_service, order.quantity)
    lease_until = now + timedelta(seconds=lease_seconds)
    attempt_id = None
    if refill.provider_refill_id is None:
        refill.due_at = None
        attempt_id = db.session.execute(
            insert(Attempt).returning(Attempt.id),
            [
                {
                    "order_id": order.id,
                    "provider_id": order.provider_id,
                    "kind": AttemptKind.REFILL,
                    "state": AttemptState.INTENT,
                    "at": now,
                    "lease_until": lease_until,
                    "answer": "",
                }
            ],
        ).scalar_one()
    else:
        refill.due_at = now + timedelta(seconds=again_seconds)
    return Task(refill.id, order.provider_id, ask, attempt_id, lease_until, refill.provider_refill_id)


def record_outcome(task: Task, outcome: Outcome, *, now: datetime) -> None:
    """Record the outcome of requesting a refill from the provider."""
    order = transitions.lock_order(task.ask.order_id)
    attempt = lock_attempt(task.attempt_id)
    refill = db.session.get_one(Refill, task.refill_id)
    if attempt.state not in OPEN or not RefillState(refill.state).is_open:
        _too_late(order, outcome, now=now)
        return
    match outcome:
        case Accepted(provider_id=given) if is_provider_id_taken(order.provider_id, given):
            text = f"The provider answered with the id {given[:40]!r}, which another refill has."
            mark_unconfirmed(attempt, order, text=text, now=now)
        case Accepted(provider_id=given):
            accept(attempt, refill, order, given=given, now=now)
        case Refused(is_final=True, text=text):
            _record_state(attempt, AttemptState.REFUSED, text, now=now)
            _confirmed(order, "The provider refused the refill.", now=now)
            end_refill(refill, order, RefillState.REFUSED, reason=text, now=now)
        case Refused(text=text) | NotSent(text=text):
            _record_state(attempt, AttemptState.NOT_SENT, text, now=now)
            refill.due_at = now + timedelta(seconds=RETRY_SECONDS)
        case Unclear(text=text):
            mark_unconfirmed(attempt, order, text=text, now=now)
    provider_health.heard(order.provider_id, outcome, now=now)


def accept(attempt: Attempt, refill: Refill, order: OrderRow, *, given: str, now: datetime) -> None:
    """Record that the provider accepted the refill under this id."""
    _record_state(attempt, AttemptState.SENT, given, now=now)
    refill.state, refill.provider_refill_id, refill.due_at = RefillState.RUNNING, given, now
    refill.accepted_at = now
    notify_webhooks(refill, order, now=now)
    transitions.add_notes([Note(order, "The refill was sent to the provider.")], now=now)
    _confirmed(order, "The provider confirmed the refill.", now=now)


def lock_attempt(attempt_id: int | None) -> Attempt:
    return db.session.execute(lock_rows(select(Attempt).where(Attempt.id == attempt_id))).scalar_one()  # type: ignore[no-any-return]


def is_provider_id_taken(provider_id: int, given: str) -> bool:
    at_provider = select(Refill.id).join(Order, Order.id == Refill.order_id).where(Order.provider_id == provider_id)
    return db.session.scalar(at_provider.where(Refill.provider_refill_id == given).limit(1)) is not None


def _too_late(order: OrderRow, outcome: Outcome, *, now: datetime) -> None:
    """The provider accepted a refill that has already ended: add a note to the timeline and open a review."""
    if not isinstance(outcome, Accepted):
        return
    text = "The provider took the refill after it had been settled."
    transitions.add_notes([Note(order, text, raw=outcome.provider_id[:200])], now=now)
    reviews.open_review(
        ReviewKind.LATE_ANSWER,
        order_id=order.id,
        provider_id=order.provider_id,
        text=f"The provider took the refill of order {order.id} after it had been settled.",
        raw=outcome.provider_id[:200],
        now=now,
    )


def apply_provider_state(task: Task, word: object, *, now: datetime) -> None:
    """Apply the provider's state of a running refill; an unknown word opens a review."""
    order = transitions.lock_order(task.ask.order_id)
    refill = db.session.get_one(Refill, task.refill_id)
    if not RefillState(refill.state).is_open:
        return
    state = REPORTED_STATES.get(word.strip().lower()) if isinstance(word, str) else None
    if state is None:
        text = f"The provider used a word for refill {refill.id} that we do not know."
        reviews.open_report(ReviewKind.REFILL_REPORT, order_id=order.id, text=text, raw=repr(word)[:200], now=now)
        return
    provider_health.answered(order.provider_id, now=now)
    if not state.is_open:
        reason = "The provider refused the refill." if state is RefillState.REFUSED else ""
        end_refill(refill, order, state, reason=reason, now=now)
    elif state is RefillState.RUNNING and refill.running_at is None:
        refill.running_at = now
        db.session.flush()
        transitions.add_notes([Note(order, "The refill is running.", source=EventSource.PROVIDER)], now=now)


def end_refill(refill: Refill, order: OrderRow, state: RefillState, *, reason: str, now: datetime) -> None:
    """End the refill; the order is Completed again, with its count unchanged."""
    refill.state, refill.reason, refill.ended_at, refill.due_at = state, reason, now, None
    db.session.flush()
    text = "The refill was completed." if state is RefillState.COMPLETED else f"The refill was refused. {reason}"
    transitions.move_order(order, Status.COMPLETED, remains=order.remains, text=text.strip(), now=now)
    for kind in (ReviewKind.REFILL_SLOW, ReviewKind.REFILL_BY_HAND):
        reviews.close(kind, order_id=order.id, resolution=text.strip()[:200], now=now)
    notify_webhooks(refill, order, now=now)
    notifications.notify_refill_ended(refill.id, state, order_id=order.id, reason=reason, now=now)


def notify_webhooks(refill: Refill, order: OrderRow, *, now: datetime) -> None:
    """Queue webhooks about the refill's state to the customer's endpoints."""
    db.session.flush()
    state = RefillState(refill.state)
    webhooks.queue_refill_event(refill.id, state, order_id=order.id, customer_id=order.customer_id, now=now)


def end_manual_refill(order: OrderRow, *, state: RefillState, reason: str, now: datetime) -> None:
    """End the open refill of a manual order. Raises NotFound without one."""
    refill = open_refill_of(order.id)
    if refill is None:
        raise NotFound(f"Order {order.id} has no open refill.")
    end_refill(refill, order, state, reason=reason, now=now)


def retry_unconfirmed(attempt: Attempt, refill: Refill, order: OrderRow, *, now: datetime) -> None:
    """Retry immediately: an operator found that the provider doesn't have the refill."""
    _record_state(attempt, AttemptState.NOT_SENT, "An operator found that it was not sent.", now=now)
    refill.due_at = now
    _confirmed(order, "The refill is asked for again.", now=now)


def refuse_unconfirmed(attempt: Attempt, order: OrderRow, *, reason: str, now: datetime) -> None:
    """Refuse a refill that stayed unconfirmed; the customer can request another."""
    resolve_attempt(attempt, order, resolution="The refill was refused.", now=now)
    refill = open_refill_of(order.id)
    if refill is not None:
        end_refill(refill, order, RefillState.REFUSED, reason=reason, now=now)


def resolve_attempt(attempt: Attempt, order: OrderRow, *, resolution: str, now: datetime) -> None:
    """Close this attempt; no answer is expected any more."""
    _record_state(attempt, AttemptState.SETTLED, attempt.answer, now=now)
    _confirmed(order, resolution, now=now)


def _confirmed(order: OrderRow, resolution: str, *, now: datetime) -> None:
    reviews.close(ReviewKind.UNCONFIRMED_REFILL, order_id=order.id, resolution=resolution, now=now)


def mark_unconfirmed(attempt: Attempt, order: OrderRow, *, text: str, now: datetime) -> None:
    """Mark a refill as unconfirmed: it may or may not have been accepted, so open a review and never retry."""
    is_known = attempt.state == AttemptState.UNKNOWN
    _record_state(attempt, AttemptState.UNKNOWN, text, now=now)
    if is_known:
        return
    sentence = "The provider has not confirmed the refill. It is not requested again automatically."
    transitions.add_notes([Note(order, sentence)], now=now)
    review = f"It is not known whether the provider took the refill of order {order.id}."
    reviews.open_review(
        ReviewKind.UNCONFIRMED_REFILL,
        order_id=order.id,
        provider_id=order.provider_id,
        text=review,
        raw=f"{attempt.id}: {text}"[:200],
        now=now,
    )


def _record_state(attempt: Attempt, state: AttemptState, text: str, *, now: datetime) -> None:
    attempt.state, attempt.answer, attempt.answered_at = state, text[:200], now
    db.session.flush()
