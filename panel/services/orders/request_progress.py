"""Refill and cancellation on the order's page: whether they can be requested, and the progress of each that was."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.domain import refill as rules
from panel.domain.refill import RefillState
from panel.models import Cancellation, CancellationState, Refill
from panel.services.orders import cancellations, refills
from panel.services.orders.detail import OwnOrder

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


def refill_stories(order_id: int) -> list[RequestProgress]:
    """Refills of an order, newest first."""
    rows = db.session.scalars(select(Refill).where(Refill.order_id == order_id).order_by(Refill.id.desc()))
    return [_refill_story(refill) for refill in rows]


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


def cancellation_stories(order_id: int) -> list[RequestProgress]:
    """Cancellation requests of an order, newest first."""
    mine = select(Cancellation).where(Cancellation.order_id == order_id)
    return [_cancellation_story(each) for each in db.session.scalars(mine.order_by(Cancellation.id.desc()))]


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
    why_no_refill = refills.refusal_reason(own.id, now=now)
    until = None
    if why_no_refill is None and own.order.completed_at is not None and own.terms.refill_days is not None:
        until = rules.window_ends(completed_at=own.order.completed_at, refill_days=own.terms.refill_days)
    return AvailableActions(
        why_no_refill=why_no_refill,
        why_no_cancellation=cancellations.refusal_reason(own.id),
        refill_until=until,
        has_refill=own.terms.refill_days is not None and (own.status.is_moving or why_no_refill is None),
        has_cancellation=own.terms.can_cancel and own.status.is_open,
    )
