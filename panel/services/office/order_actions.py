"""Operator actions on one order: cancel it before it is sent, poll its provider now, open a review, set a status.

Each action names the version of the order that its page showed, so that an order that has changed since is left alone.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from panel.db import db
from panel.domain.accounts.roles import Action
from panel.domain.errors import ActionRefused, IllegalTransition
from panel.domain.review_kind import ReviewKind
from panel.domain.settlement import Settlement
from panel.domain.status import Status
from panel.models import Order
from panel.services import audit_log, reviews
from panel.services.money import cancel_limit
from panel.services.office import assignments, manual_orders
from panel.services.office.manual_orders import HandWork, check_version
from panel.services.orders import cancellations, dispatch, transitions
from panel.services.orders.transitions import OrderRow


class OrderAction(StrEnum):
    CANCEL = "cancel"
    ASK = "ask"
    REVIEW = "review"
    MOVE = "move"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    OrderAction.CANCEL: "Cancel order",
    OrderAction.ASK: "Ask the provider now",
    OrderAction.REVIEW: "Open a review",
    OrderAction.MOVE: "Set status",
}

NO_MONEY = Settlement(kept_nanos=0, returned_nanos=0)


@dataclass(frozen=True, slots=True)
class RequestedAction:
    """An action with its operator and reason; `to` is the new status for `move`."""

    action: OrderAction
    reason: str
    actor: str
    operator_id: int
    to: Status | None = None


@dataclass(frozen=True, slots=True)
class ActionEffect:
    """Effect of an action on one order, in words and money."""

    words: str
    money: Settlement = NO_MONEY


@dataclass(frozen=True, slots=True)
class OfferedAction:
    """An action that would succeed now, with its effect."""

    action: OrderAction
    effect: ActionEffect


def action_of(chosen: OrderAction) -> Action:
    """The action that a role must allow."""
    return Action.SET_ORDERS if chosen is OrderAction.MOVE else Action.HANDLE_ORDERS


def offered(order: OrderRow, *, operator_id: int, now: datetime) -> tuple[OfferedAction, ...]:
    """Actions on this order that would succeed now."""
    found = []
    for action in (OrderAction.ASK, OrderAction.REVIEW, OrderAction.CANCEL):
        try:
            found.append(OfferedAction(action, effect(order, RequestedAction(action, "", "", operator_id), now=now)))
        except ActionRefused:
            continue
    return tuple(found)


def offered_statuses(order: OrderRow, *, operator_id: int, now: datetime) -> tuple[Status, ...]:
    """Statuses that this operator may set by hand now, including the current one for new counts."""
    return tuple(to for to in Status if _may_set(order, to, operator_id=operator_id, now=now))


def _may_set(order: OrderRow, to: Status, *, operator_id: int, now: datetime) -> bool:
    if not order.status.is_open or to is Status.REFILL:
        return False
    try:
        manual_orders.check(order, HandWork(to, None, None, "", order.version, operator_id, ""), now=now)
    except (ActionRefused, IllegalTransition):
        return False
    return True


def effect(order: OrderRow, requested: RequestedAction, *, now: datetime) -> ActionEffect:
    """The effect if it were done now; changes nothing. Raises the same errors as the action itself."""
    match requested.action:
        case OrderAction.CANCEL:
            _check_unsent(order)
            cancel_limit.check(order.charge_nanos, operator_id=requested.operator_id, now=now)
            back = Settlement(kept_nanos=0, returned_nanos=order.charge_nanos)
            return ActionEffect("The order becomes Canceled. No provider has it yet, so nothing was delivered.", back)
        case OrderAction.ASK:
            return ActionEffect(_due(order.id)[1])
        case OrderAction.REVIEW:
            return ActionEffect("A review with your reason is opened. The order itself does not change.")
        case OrderAction.MOVE:
            return _move_effect(order, requested, now=now)


def _move_effect(order: OrderRow, requested: RequestedAction, *, now: datetime) -> ActionEffect:
    to = _wanted(requested)
    if not assignments.is_by_hand(order.provider_id):
        raise ActionRefused("A provider delivers this order. Only manual orders can be set.")
    assignments.check_unassigned(order.id, operator_id=requested.operator_id, now=now)
    if not order.status.may_become(to) or to is Status.REFILL:
        raise ActionRefused(f"It is {order.status.label} and can’t be set to {to.label}.")
    return ActionEffect(f"The order becomes {to.label}.", manual_orders.effect(order, to, remains=None))


def _wanted(requested: RequestedAction) -> Status:
    if requested.to is None:
        raise ValueError("a move by hand names its status")
    return requested.to


def do(order_id: int, requested: RequestedAction, *, version: int, now: datetime) -> None:
    """Do the action and log it. Raises NotFound, StaleOrder, BadInput, Refused or IllegalTransition."""
    reason = audit_log.checked_reason(requested.reason)
    audit_log.check_role(action_of(requested.action), actor=requested.actor)
    if requested.action is OrderAction.CANCEL:
        cancel_limit.lock(order_id, operator_id=requested.operator_id)
    order = transitions.lock_order(order_id)
    check_version(order, version)
    if requested.action is OrderAction.MOVE:
        work = HandWork(_wanted(requested), None, None, reason, version, requested.operator_id, requested.actor)
        manual_orders.set_order(order_id, work, now=now)
        return
    match requested.action:
        case OrderAction.CANCEL:
            _check_unsent(order)
            cancel_limit.check(order.charge_nanos, operator_id=requested.operator_id, now=now)
            dispatch.cancel_order(order, reason=reason, now=now)
            assignments.end(order_id)
            done = "canceled, all money returned"
        case OrderAction.ASK:
            column, done = _due(order_id)
            transitions.set_schedule(order, **{column: now})
        case _:
            text = f"{requested.actor}: {reason}"
            reviews.open_review(
                ReviewKind.BY_OPERATOR, order_id=order_id, text=text, raw=f"order as of version {version}", now=now
            )
            done = "review opened"
    action = f"orders {requested.action}"
    audit_log.write(action, actor=requested.actor, subject=f"order {order_id}", detail=f"{done}: {reason}", now=now)


def _check_unsent(order: OrderRow) -> None:
    if order.status is not Status.PENDING:
        raise ActionRefused(f"It is {order.status.label}. Only Pending orders that no provider has can be canceled.")
    if cancellations.may_provider_have_order(order.id):
        raise ActionRefused(
            "It was, or may have been, sent to a provider. Only orders that no provider has can be canceled."
        )


def _due(order_id: int) -> tuple[str, str]:
    """Which of the order's two due times is brought forward, and what happens then. Raises Refused."""
    row = db.session.execute(select(Order.dispatch_at, Order.sync_at).where(Order.id == order_id)).one()
    if row.sync_at is not None:
        return "sync_at", "The worker asks its provider about it on its next pass."
    if row.dispatch_at is not None:
        return "dispatch_at", "The worker sends it to its provider on its next pass."
    raise ActionRefused(
        "There is nothing to ask: it has ended, is a manual order, or waits for a decision in a review."
    )
