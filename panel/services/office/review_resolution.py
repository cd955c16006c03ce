"""Resolution of a review by an operator, with a reason for the audit log.

Of an order that is unconfirmed the operator says what the provider's own pages show: it is there under an id,
it is not there, or nobody can tell and the customer gets the money back. A review of a customer's request ends
with its answer. Other reviews are marked as done.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update

from panel.db import db, lock_rows
from panel.domain.errors import ActionRefused, BadInput, NotFound
from panel.domain.provider_kind import ProviderKind
from panel.domain.provider_report import read_count
from panel.domain.review_kind import ReviewKind
from panel.models import Attempt, AttemptKind, AttemptState, Cancellation, CancellationState, Provider, Review
from panel.services import audit_log
from panel.services.orders import dispatch, fail_over, refills, runs, transitions
from panel.services.orders.transitions import Note, OrderRow

RETURNED = "An operator returned the amount: the provider did not confirm this order."
REFUSED = "The provider did not confirm the refill. You may ask for it again."

# Kinds of reviews that ask for the outcome of a call, with the kind of call. Others can only be marked as done.
ASKS_ABOUT = {ReviewKind.UNCONFIRMED: AttemptKind.ADD, ReviewKind.UNCONFIRMED_REFILL: AttemptKind.REFILL}


class Decision(StrEnum):
    SENT_AS = "sent-as"
    NOT_SENT = "not-sent"
    RETURN = "return"
    DONE = "done"


@dataclass(frozen=True)
class Resolution:
    """An operator's decision and reason. `provider_id`: the order's id at the provider, for `sent-as`."""

    decision: Decision
    reason: str
    actor: str
    provider_id: str = ""


class RequestKind(StrEnum):
    """Kind of a customer's request; the value begins the anchor on the order's page."""

    REFILL = "refill"
    CANCELLATION = "cancellation"

    @property
    def label(self) -> str:
        return "Refill" if self is RequestKind.REFILL else "Cancellation request"

    @property
    def next_action(self) -> str:
        """Next action for an operator."""
        return "Start or end refill" if self is RequestKind.REFILL else "Answer cancellation request"


@dataclass(frozen=True)
class Waiting:
    """A customer's request that operators answer: a refill or a cancellation."""

    kind: RequestKind
    id: int
    order_id: int

    @property
    def label(self) -> str:
        return f"{self.kind.label} {self.id}"

    @property
    def next_action(self) -> str:
        return f"{self.kind.next_action} {self.id}"

    @property
    def place(self) -> str:
        """The anchor on the order's page where it is answered."""
        return f"{self.kind}-{self.id}"


def resolve(review_id: int, resolution: Resolution, *, now: datetime) -> None:
    """Apply the decision and close the review. Raises NotFound, BadInput or Refused."""
    reason = audit_log.checked_reason(resolution.reason)
    review = _held_review(review_id)
    if (waiting := open_request(review)) is not None:
        raise ActionRefused(
            f"{waiting.label} still waits for its answer, which closes this review. Nothing was changed."
        )
    kind = ASKS_ABOUT.get(ReviewKind(review.kind))
    if kind is None or review.order_id is None:
        if resolution.decision is not Decision.DONE:
            raise ActionRefused("This review asks nothing about an attempt: it can only be marked as done.")
    else:
        _resolve(transitions.lock_order(review.order_id), kind, resolution, now=now)
    sentence = f"{resolution.decision}: {reason}"
    closing = update(Review).where(Review.id == review_id)
    db.session.execute(closing.values(resolved_at=now, resolution=sentence))
    detail = f"{sentence} ({resolution.provider_id})" if resolution.provider_id else sentence
    audit_log.write("reviews resolve", actor=resolution.actor, subject=f"review {review_id}", detail=detail, now=now)


def open_request(review: Review) -> Waiting | None:
    """The customer's unanswered request that this review is about."""
    if review.order_id is None or review.resolved_at is not None:
        return None
    if review.kind == ReviewKind.REFILL_BY_HAND:
        refill = refills.open_refill_of(review.order_id)
        return None if refill is None else Waiting(RequestKind.REFILL, refill.id, review.order_id)
    if review.kind == ReviewKind.CANCEL_BY_HAND:
        asked = select(Cancellation.id).where(
            Cancellation.order_id == review.order_id, Cancellation.state == CancellationState.ASKED
        )
        stop_id = db.session.scalar(asked.order_by(Cancellation.id).limit(1))
        return None if stop_id is None else Waiting(RequestKind.CANCELLATION, stop_id, review.order_id)
    return None


def is_unconfirmed(review: Review) -> bool:
    """Whether the outcome of the review's attempt is still unknown; otherwise it is only marked as done."""
    kind = ASKS_ABOUT.get(ReviewKind(review.kind))
    if kind is None or review.order_id is None:
        return False
    unknown = (Attempt.order_id == review.order_id, Attempt.kind == kind, Attempt.state == AttemptState.UNKNOWN)
    return db.session.scalar(select(Attempt.id).where(*unknown).limit(1)) is not None


def _held_review(review_id: int) -> Review:
    """Lock the open review until the transaction ends; its order is locked first, as everywhere."""
    order_id = db.session.scalar(select(Review.order_id).where(Review.id == review_id))
    if order_id is not None:
        transitions.lock_order(order_id)
    held = lock_rows(select(Review).where(Review.id == review_id))
    review: Review | None = db.session.execute(held, execution_options={"populate_existing": True}).scalar()
    if review is None:
        raise NotFound(f"There is no review {review_id}.")
    if review.resolved_at is not None:
        raise ActionRefused(f"Review {review_id} was resolved already.")
    return review


def _resolve(order: OrderRow, kind: AttemptKind, resolution: Resolution, *, now: datetime) -> None:
    attempt = _unknown(order, kind)
    if attempt is None:
        if resolution.decision is not Decision.DONE:
            raise ActionRefused(f"Order {order.id} is no longer unconfirmed; the review can only be marked as done.")
        return
    settle = {AttemptKind.ADD: _resolve_order, AttemptKind.REFILL: _resolve_refill}[kind]
    if resolution.decision is Decision.DONE:
        raise ActionRefused("Say what became of it: sent as an id of the provider’s, not sent, or return.")
    settle(attempt, order, resolution, now=now)


def _unknown(order: OrderRow, kind: AttemptKind) -> Attempt | None:
    statement = select(Attempt).where(
        Attempt.order_id == order.id, Attempt.kind == kind, Attempt.state == AttemptState.UNKNOWN
    )
    return db.session.execute(lock_rows(statement)).scalar()


def _resolve_order(attempt: Attempt, order: OrderRow, resolution: Resolution, *, now: datetime) -> None:
    match resolution.decision:
        case Decision.SENT_AS:
            given = _checked_id(order, resolution.provider_id)
            if runs.is_provider_id_taken(order.provider_id, given):
                raise ActionRefused(f"Another order has the id {given} at this provider.", field="sent_as")
            dispatch.accept(attempt, order, given=given, now=now)
        case Decision.NOT_SENT:
            dispatch.record_attempt_state(attempt, AttemptState.NOT_SENT, fail_over.FOUND_NOT_SENT, now=now)
            text = "The provider does not have this order. It will be sent again."
            transitions.add_notes([Note(order, text)], now=now)
            dispatch.queue_again(order, at=now, now=now)
        case _:
            dispatch.record_attempt_state(attempt, AttemptState.SETTLED, attempt.answer, now=now)
            dispatch.cancel_order(order, reason=RETURNED, now=now)


def _resolve_refill(attempt: Attempt, order: OrderRow, resolution: Resolution, *, now: datetime) -> None:
    refill = refills.open_refill_of(order.id)
    if refill is None:
        raise ActionRefused(f"Order {order.id} has no open refill.")
    match resolution.decision:
        case Decision.SENT_AS:
            given = _checked_id(order, resolution.provider_id)
            if refills.is_provider_id_taken(order.provider_id, given):
                raise ActionRefused(f"Another refill has the id {given} at this provider.", field="sent_as")
            refills.accept(attempt, refill, order, given=given, now=now)
        case Decision.NOT_SENT:
            refills.retry_unconfirmed(attempt, refill, order, now=now)
        case _:
            refills.refuse_unconfirmed(attempt, order, reason=REFUSED, now=now)


def _checked_id(order: OrderRow, given: str) -> str:
    """Validate the provider's id. An upstream panel's ids are whole numbers."""
    given = given.strip()
    if not given or len(given) > 100 or not given.isprintable():
        raise BadInput("Write the id that the provider gave, on one line.", field="sent_as")
    if db.session.scalar(select(Provider.kind).where(Provider.id == order.provider_id)) != ProviderKind.PANEL_API:
        return given
    number = read_count(given)
    if not number:
        raise BadInput("An upstream panel’s id is a whole number above 0.", field="sent_as")
    return str(number)
