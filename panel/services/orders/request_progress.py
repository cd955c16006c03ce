"""Refill, cancellation and refund of an order, for its pages: what can be requested, its progress, and the receipt."""

from dataclasses import dataclass
from datetime import datetime

from panel.domain import refill as rules
from panel.domain.refill import RefillState
from panel.models import Cancellation, CancellationState, Refill, TransferKind
from panel.services.money import account_entries
from panel.services.orders import cancellations, refills
from panel.services.orders import detail as order_detail
from panel.services.orders.detail import OwnOrder
from panel.services.orders.goodwill import Given

_REFILL_LABELS = {
    RefillState.REQUESTED: "asked for",
    RefillState.RUNNING: "under way",
    RefillState.COMPLETED: "completed",
    RefillState.REFUSED: "refused",
}


@dataclass(frozen=True, slots=True)
class AvailableActions:
    """Actions available to the customer now or later, and the reason for each one that isn't available."""

    why_no_refill: str | None
    why_no_cancellation: str | None
    refill_until: datetime | None
    has_refill: bool
    has_cancellation: bool

    @property
    def can_refill(self) -> bool:
        return self.why_no_refill is None

    @property
    def can_cancel(self) -> bool:
        return self.why_no_cancellation is None


@dataclass(frozen=True, slots=True)
class RequestStep:
    """A step of a request; `at` is None until it is reached."""

    label: str
    at: datetime | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class RequestProgress:
    """A request with its steps in order, both reached and still to come."""

    id: int
    label: str
    is_open: bool
    steps: tuple[RequestStep, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """Receipt of a refund: when the order ended, how the amount was calculated, and later goodwill credits."""

    number: str
    at: datetime
    units: int
    amount_nanos: int
    line: int | None
    balance_nanos: int | None
    gifts: tuple[Given, ...]

    @property
    def total_nanos(self) -> int:
        return self.amount_nanos + sum(gift.amount_nanos for gift in self.gifts)


def refill_stories(own: OwnOrder) -> list[RequestProgress]:
    """Refills of an order, newest first."""
    return [_refill_story(refill) for refill in own.refills]


def _refill_story(refill: Refill) -> RequestProgress:
    state = RefillState(refill.state)
    steps = [
        RequestStep("Asked", refill.asked_at, "You requested it. There is no charge."),
        RequestStep("Accepted", refill.accepted_at, "The provider accepted the refill."),
        RequestStep("Running", refill.running_at, "What dropped is being delivered again."),
    ]
    if not state.is_open:
        # Leave out steps nobody saw: a short refill can end before its first poll.
        steps = [step for step in steps if step.at is not None]
    if state is RefillState.REFUSED:
        steps.append(RequestStep("Refused", refill.ended_at, refill.reason))
    else:
        steps.append(RequestStep("Completed", refill.ended_at, "The order is Completed again."))
    return RequestProgress(refill.id, _REFILL_LABELS[state], state.is_open, tuple(steps))


def cancellation_stories(own: OwnOrder) -> list[RequestProgress]:
    """Cancellation requests of an order, newest first."""
    return [_cancellation_story(each) for each in own.cancellations]


def _cancellation_story(cancellation: Cancellation) -> RequestProgress:
    state = CancellationState(cancellation.state)
    answers = {
        CancellationState.ASKED: RequestStep("Answered", None, "The provider has not answered yet."),
        CancellationState.ACCEPTED: RequestStep(
            "Accepted",
            cancellation.answered_at,
            "What is not delivered is returned to your balance when the order ends.",
        ),
        CancellationState.REFUSED: RequestStep("Refused", cancellation.answered_at, cancellation.reason),
    }
    steps = (RequestStep("Asked", cancellation.asked_at, "You asked to cancel the order."), answers[state])
    return RequestProgress(cancellation.id, state.value, state is CancellationState.ASKED, steps)


def available_actions(own: OwnOrder, *, now: datetime) -> AvailableActions:
    """Available actions, and the reasons for those that aren't available."""
    why_no_refill = why_no_refill_of(own, now=now)
    until = None
    if why_no_refill is None and own.order.completed_at is not None and own.terms.refill_days is not None:
        until = rules.window_ends(completed_at=own.order.completed_at, refill_days=own.terms.refill_days)
    return AvailableActions(
        why_no_refill=why_no_refill,
        why_no_cancellation=why_no_cancellation_of(own),
        refill_until=until,
        has_refill=own.terms.refill_days is not None and (own.status.is_moving or why_no_refill is None),
        has_cancellation=own.terms.can_cancel and own.status.is_open,
    )


def why_no_refill_of(own: OwnOrder, *, now: datetime) -> str | None:
    """As `refills.refusal_reason`, of an order that has been read."""
    if own.runs:
        return refills.NOT_OF_RUNS
    return rules.why_not(
        status=own.status,
        refill_days=own.terms.refill_days,
        completed_at=own.order.completed_at,
        is_open=any(RefillState(each.state).is_open for each in own.refills),
        now=now,
    )


def why_no_cancellation_of(own: OwnOrder) -> str | None:
    """As `cancellations.refusal_reason`, of an order that has been read."""
    newest = own.cancellations[0] if own.cancellations else None
    return cancellations.why_not(own.status, can_cancel=own.terms.can_cancel, newest=newest)


def receipt(own: OwnOrder) -> Receipt | None:
    """The receipt of a Partial or Canceled order, or of one with goodwill credits; otherwise None."""
    order, gifts = own.order, order_detail.own_gifts(own)
    if order.ended_at is None or not (own.has_receipt or gifts):
        return None
    entry = None
    if order.returned_nanos:
        entry = account_entries.entry_of(own.id, kind=TransferKind.RETURN, user_id=order.customer_id)
    return Receipt(
        number=f"R-{own.id}",
        at=gifts[-1].at if gifts else entry.at if entry else order.ended_at,
        units=order.returned_nanos // order.price_micros_per_thousand,
        amount_nanos=order.returned_nanos,
        line=entry.id if entry else None,
        balance_nanos=entry.balance_nanos if entry else None,
        gifts=gifts,
    )
