"""Cancellations: immediate while no provider has the order; otherwise requested, and the provider's report decides."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.domain.errors import ActionRefused as Unanswerable
from panel.domain.errors import CancelNotAvailable, NotFound
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import (
    IS_OPEN_CANCELLATION,
    Attempt,
    AttemptState,
    Cancellation,
    CancellationState,
    EventSource,
    Order,
    Provider,
    Terms,
)
from panel.providers.base import Accepted, Outcome, Refused, StatusRequest, Unclear
from panel.services import audit_log, reviews
from panel.services.orders import runs, transitions
from panel.services.orders.transitions import Note, OrderRow
from panel.services.providers import health as provider_health

BY_CUSTOMER = "Canceled at your request before it was sent to the provider."
REST_BY_CUSTOMER = "The rest was canceled at your request: runs that had not begun were not sent."
ACCEPTED_BY_HAND = "The order is being canceled. What isn’t delivered is refunded to your balance when it ends."
NOT_UNDERSTOOD = (
    "The provider was asked several times to stop this order and gave no clear answer. An operator is looking into it. "
    "The order goes on meanwhile."
)
RETRY_SECONDS = 30
# After this many unclear or missing answers, a request goes to operators.
MAX_ASKS = 3
MAX_ASKS_UNANSWERED = 10
# Requests of one provider per sweep.
BATCH = 200


@dataclass(frozen=True)
class Request:
    """A cancellation request leased by a sweep."""

    cancellation_id: int
    provider_id: int
    ask: StatusRequest


def refusal_reason(order_id: int) -> str | None:
    """Why this order can't be canceled now, as a sentence; None if it can, or if cancellation can be requested."""
    row = db.session.execute(
        select(Order.status, Terms.can_cancel).join(Terms, Terms.id == Order.terms_id).where(Order.id == order_id)
    ).one()
    return why_not(Status(row.status), can_cancel=row.can_cancel, newest=newest_cancellation(order_id))


def why_not(status: Status, *, can_cancel: bool, newest: Cancellation | None) -> str | None:
    """Why an order of this status can't be canceled, after this latest request; None if it can."""
    if not can_cancel:
        return "This tool does not offer cancellation."
    if not status.is_open:
        return f"The order has ended as {status.label}." if status is not Status.REFILL else "The order ran in full."
    if newest is not None and newest.state == CancellationState.ASKED:
        return "You requested cancellation of this order. The provider has not answered yet."
    if newest is not None and newest.state == CancellationState.ACCEPTED:
        return "The provider is canceling this order. What isn’t delivered is refunded to your balance."
    return None


def newest_cancellation(order_id: int) -> Cancellation | None:
    """The order's latest cancellation, in any state."""
    return db.session.scalar(
        select(Cancellation).where(Cancellation.order_id == order_id).order_by(Cancellation.id.desc()).limit(1)
    )


def request_cancellation(order_id: int, *, customer_id: int, now: datetime) -> Cancellation:
    """Cancel immediately with a full refund if no provider can have the order; otherwise request it from the provider.

    Raises NotFound, or CancelNotAvailable with the reason.
    """
    order = transitions.lock_order(order_id)
    if order.customer_id != customer_id:
        raise NotFound(f"There is no order {order_id}.")
    reason = refusal_reason(order_id)
    if reason is not None:
        raise CancelNotAvailable(reason)
    cancellation = Cancellation(order_id=order_id, state=CancellationState.ASKED, asked_at=now, due_at=None)
    db.session.add(cancellation)
    db.session.flush()
    if runs.can_be_sent(order) and not may_provider_have_order(order_id):
        cancellation.state, cancellation.answered_at = CancellationState.ACCEPTED, now
        to, remains = runs.end(order, now=now)
        text = BY_CUSTOMER if to is Status.CANCELED else REST_BY_CUSTOMER
        transitions.move_order(order, to, remains=remains, source=EventSource.YOU, text=text, reason=text, now=now)
        return cancellation
    transitions.add_notes([Note(order, "You requested cancellation.", source=EventSource.YOU)], now=now)
    if order.provider_order_id is not None:
        cancellation.due_at = now
    else:
        text = f"The customer asks to stop order {order_id}."
        reviews.open_review(ReviewKind.CANCEL_BY_HAND, order_id=order_id, text=text, raw=str(cancellation.id), now=now)
    db.session.flush()
    return cancellation


def may_provider_have_order(order_id: int) -> bool:
    """Whether an attempt is open or succeeded, so that the provider may have the order, or its current run."""
    harmless = [AttemptState.NOT_SENT, AttemptState.REFUSED]
    run = runs.current(runs.of_order(order_id))
    if run is not None and run.provider_order_id is None:
        # What succeeded were earlier runs, which have ended.
        harmless.append(AttemptState.SENT)
    taken = select(Attempt.id).where(Attempt.order_id == order_id, Attempt.state.not_in(harmless)).limit(1)
    return db.session.scalar(taken) is not None


def providers_with_work(*, now: datetime) -> list[int]:
    """Callable providers with due cancellation requests."""
    at_provider = (
        select(Cancellation.id).join(Order, Order.id == Cancellation.order_id).where(Order.provider_id == Provider.id)
    )
    is_due = at_provider.where(Cancellation.due_at <= now).exists()
    return list(db.session.scalars(select(Provider.id).where(is_due, *provider_health.callable_now(now))))


def due_ids(provider_id: int, *, now: datetime) -> list[int]:
    """Ids of this provider's due cancellation requests, oldest first."""
    mine = (
        select(Cancellation.id).join(Order, Order.id == Cancellation.order_id).where(Order.provider_id == provider_id)
    )
    return list(db.session.scalars(mine.where(Cancellation.due_at <= now).order_by(Cancellation.due_at).limit(BATCH)))


def lease_request(cancellation_id: int, *, now: datetime) -> Request | None:
    """Lease one request; None if another worker has it or it was answered in the meantime."""
    cancellation = db.session.scalar(lock_rows(select(Cancellation).where(Cancellation.id == cancellation_id)))
    if cancellation is None or cancellation.due_at is None or cancellation.due_at > now:
        return None
    order = db.session.get_one(Order, cancellation.order_id)
    cancellation.due_at = now + timedelta(seconds=RETRY_SECONDS)
    run = runs.current(runs.of_order(order.id))
    pieces = order.quantity if run is None else run.quantity
    ask = StatusRequest(order.id, order.provider_order_id or "", order.provider_service, pieces)
    return Request(cancellation.id, order.provider_id, ask)


def record_outcome(request: Request, outcome: Outcome, *, now: datetime) -> None:
    """Record the provider's answer. Money moves only with its final report; an unclear answer is retried."""
    order = transitions.lock_order(request.ask.order_id)
    cancellation = db.session.get_one(Cancellation, request.cancellation_id)
    if cancellation.state != CancellationState.ASKED:
        return
    match outcome:
        case Accepted():
            _decide(cancellation, CancellationState.ACCEPTED, "", now=now)
            text = "The provider is canceling the order. What isn’t delivered is refunded to your balance."
            transitions.add_notes([Note(order, text)], now=now)
            transitions.set_schedule(order, sync_at=now)
        case Refused(is_final=True, text=text):
            _decide(cancellation, CancellationState.REFUSED, text, now=now)
            transitions.add_notes([Note(order, f"The order could not be stopped. {text}")], now=now)
        case Unclear():
            _ask_again(cancellation, order, outcome, now=now)
    provider_health.heard(order.provider_id, outcome, now=now)


def _ask_again(cancellation: Cancellation, order: OrderRow, outcome: Unclear, *, now: datetime) -> None:
    """Retry later; after a few retries hand the request to operators, since the answer may never change."""
    cancellation.asks += 1
    cancellation.due_at = now + timedelta(seconds=RETRY_SECONDS * cancellation.asks)
    if cancellation.asks >= (MAX_ASKS if outcome.is_in_words else MAX_ASKS_UNANSWERED):
        cancellation.due_at = None
        transitions.add_notes([Note(order, NOT_UNDERSTOOD, raw=outcome.text[:200])], now=now)
        reviews.open_review(
            ReviewKind.CANCEL_BY_HAND,
            order_id=order.id,
            provider_id=order.provider_id,
            text=f"The customer asks to stop order {order.id}. The provider was asked {cancellation.asks} times and "
            "gave no answer that we can read.",
            raw=f"{cancellation.id}: {outcome.text}"[:200],
            now=now,
        )
    db.session.flush()


@dataclass(frozen=True, slots=True)
class OpenCancellation:
    """An unanswered cancellation request, with its order and provider."""

    id: int
    order_id: int
    provider: str
    is_passed_on: bool
    asked_at: datetime


def open_cancellations() -> list[OpenCancellation]:
    """All unanswered cancellation requests, oldest first."""
    rows = db.session.execute(
        select(
            Cancellation.id,
            Cancellation.order_id,
            Provider.name,
            Cancellation.due_at.is_not(None),
            Cancellation.asked_at,
        )
        .join(Order, Order.id == Cancellation.order_id)
        .join(Provider, Provider.id == Order.provider_id)
        .where(IS_OPEN_CANCELLATION)
        .order_by(Cancellation.id)
    )
    return [OpenCancellation(*row) for row in rows]


def decide_by_operator(
    cancellation_id: int, state: CancellationState, *, reason: str, actor: str, now: datetime
) -> None:
    """Accept or refuse a cancellation request. Raises NotFound, BadInput or Refused.

    Money moves only when the order ends. The customer sees the reason of a refusal.
    """
    reason = audit_log.checked_reason(reason)
    if state is CancellationState.ASKED:
        raise ValueError("asked is no answer")
    order_id = db.session.scalar(select(Cancellation.order_id).where(Cancellation.id == cancellation_id))
    if order_id is None:
        raise NotFound(f"There is no cancellation {cancellation_id}.")
    order = transitions.lock_order(order_id)
    held = lock_rows(select(Cancellation).where(Cancellation.id == cancellation_id))
    cancellation = db.session.execute(held, execution_options={"populate_existing": True}).scalar_one()
    if cancellation.state != CancellationState.ASKED:
        raise Unanswerable(f"Cancellation {cancellation_id} was answered already: it is {cancellation.state}.")
    is_accepted = state is CancellationState.ACCEPTED
    _decide(cancellation, state, "" if is_accepted else reason, now=now)
    text = ACCEPTED_BY_HAND if is_accepted else f"The order could not be stopped. {reason}"
    transitions.add_notes([Note(order, text)], now=now)
    reviews.close(ReviewKind.CANCEL_BY_HAND, order_id=order_id, resolution=text[:200], now=now)
    subject, detail = f"cancellation {cancellation_id}", f"as {state}: {reason}"
    audit_log.write("cancellations answer", actor=actor, subject=subject, detail=detail, now=now)


def _decide(cancellation: Cancellation, state: CancellationState, reason: str, *, now: datetime) -> None:
    cancellation.state, cancellation.reason = state, reason
    cancellation.answered_at, cancellation.due_at = now, None
    db.session.flush()
