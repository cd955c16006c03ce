"""Manual orders: an operator sets status and counts, under the same transitions as for providers."""

from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.domain.errors import ActionRefused, BadInput
from panel.domain.provider_kind import ProviderKind
from panel.domain.refill import RefillState
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import Provider
from panel.services import reviews
from panel.services.orders import refills, transitions
from panel.services.orders.transitions import Move, OrderRow


def set_order(
    order_id: int,
    to: Status,
    *,
    remains: int | None,
    start_count: int | None,
    reason: str | None,
    now: datetime,
) -> None:
    """Move an order of a manual provider. Raises NotFound, Refused, BadInput or IllegalTransition."""
    order = transitions.lock_order(order_id)
    if db.session.scalar(select(Provider.kind).where(Provider.id == order.provider_id)) != ProviderKind.MANUAL:
        raise ActionRefused(f"Order {order_id} is delivered by a provider; only orders fulfilled by hand can be set.")
    if order.status is Status.REFILL and to is Status.COMPLETED:
        refills.end_manual_refill(order, state=RefillState.COMPLETED, reason="", now=now)
        return
    if to is Status.REFILL:
        raise ActionRefused("A refill is requested by the customer, from the order.")
    move = Move(
        order,
        to,
        remains_for(order, to, given=remains),
        start_count=order.start_count if start_count is None else start_count,
        text=reason or "",
        reason=reason,
    )
    if to is not order.status or (move.remains, move.start_count) != (order.remains, order.start_count):
        transitions.apply_moves([move], now=now)
    if not to.is_open:
        reviews.close(
            ReviewKind.CANCEL_BY_HAND, order_id=order_id, resolution=f"The order ended as {to.label}.", now=now
        )


def remains_for(order: OrderRow, to: Status, *, given: int | None) -> int:
    """The remains for this status: as entered, or implied by the status. Raises BadInput."""
    if given is not None and not 0 <= given <= order.quantity:
        raise BadInput(f"Remains must be a whole number from 0 to {order.quantity}.", field="remains")
    if to.is_final and order.status.is_final:
        return order.remains
    if to is Status.PARTIAL and given is None:
        raise BadInput("A Partial order needs its remains: what was not delivered.", field="remains")
    if given is not None:
        return given
    return {Status.COMPLETED: 0, Status.CANCELED: order.quantity}.get(to, order.remains)
