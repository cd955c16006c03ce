"""Manual orders: status and counts set by an operator's form, under the usual transitions, never from a stale form."""

from dataclasses import dataclass
from datetime import datetime

from panel.domain.errors import ActionRefused, IllegalTransition, StaleOrder
from panel.domain.settlement import Settlement, settle
from panel.domain.status import Status
from panel.services import audit_log
from panel.services.office import assignments
from panel.services.orders import manual as manual_orders
from panel.services.orders import transitions
from panel.services.orders.transitions import OrderRow


@dataclass(frozen=True, slots=True)
class HandWork:
    """An operator's input for an order, on a form that showed its `version`. The customer sees the reason."""

    to: Status
    remains: int | None
    start_count: int | None
    reason: str
    version: int
    operator_id: int
    actor: str


def set_order(order_id: int, work: HandWork, *, now: datetime) -> None:
    """Set status and counts. The order is assigned to the operator from then on, and released when it has ended.

    Raises NotFound, StaleOrder, Refused, BadInput or IllegalTransition.
    """
    reason = audit_log.checked_reason(work.reason) if work.reason.strip() else ""
    order = transitions.lock_order(order_id)
    check_version(order, work.version)
    assignments.check_unassigned(order_id, operator_id=work.operator_id, now=now)
    manual_orders.set_order(
        order_id, work.to, remains=work.remains, start_count=work.start_count, reason=reason or None, now=now
    )
    if work.to.is_moving:
        assignments.write_assignment(order_id, operator_id=work.operator_id, now=now)
    else:
        assignments.end(order_id)
    counts = f"remains {_shown_count(work.remains)}, start count {_shown_count(work.start_count)}"
    detail = f"{order.status.value} to {work.to.value}, {counts}{': ' if reason else ''}{reason}"
    audit_log.write("orders set", actor=work.actor, subject=f"order {order_id}", detail=detail, now=now)


def check(order: OrderRow, work: HandWork, *, now: datetime) -> None:
    """Check the input without writing it. Raises Refused, BadInput or IllegalTransition."""
    if not assignments.is_by_hand(order.provider_id):
        raise ActionRefused(f"Order {order.id} is delivered by a provider. Only manual orders can be set.")
    assignments.check_unassigned(order.id, operator_id=work.operator_id, now=now)
    if work.to is not order.status and not order.status.may_become(work.to):
        raise IllegalTransition(f"Order {order.id} is {order.status.label} and can’t be set to {work.to.label}.")


def check_version(order: OrderRow, version: int) -> None:
    """Raise StaleOrder if the order has changed since a page showed it with this version."""
    if order.version != version:
        raise StaleOrder(
            f"Order {order.id} changed since you opened it: it is {order.status.label} now. "
            "Nothing was changed. Check it again, then decide."
        )


def effect(order: OrderRow, to: Status, *, remains: int | None) -> Settlement:
    """Settlement of the held charge if this status were set. Raises the same errors as the change itself."""
    left = manual_orders.remains_for(order, to, given=remains)
    if not order.status.is_open or to.is_open:
        return Settlement(kept_nanos=0, returned_nanos=0)
    price = order.price_micros_per_thousand
    return settle(to, quantity=order.quantity, remains=left, price_micros_per_thousand=price)


def _shown_count(number: int | None) -> str:
    return "as it was" if number is None else str(number)
