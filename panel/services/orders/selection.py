"""Bulk actions on a customer's selected orders: preview what would happen to each, and apply.

The route uses one transaction per order, so that an order that fails or has changed doesn't block the others.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from panel.domain.forms import mass_line
from panel.domain.status import Status
from panel.services.catalogue import tools
from panel.services.orders import cancellations, refills, request_progress
from panel.services.orders import detail as order_detail
from panel.services.orders.detail import OwnOrder

MAX_ORDERS = 100


class BulkAction(StrEnum):
    """Bulk actions."""

    AGAIN = "again"
    REFILL = "refill"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """A selected order, and why the action isn't available for it; empty if it is."""

    own: OwnOrder
    refusal: str
    # Cancel only: whether no provider has the order yet, so that it ends immediately with a full refund.
    ends_at_once: bool = False

    @property
    def line(self) -> str:
        """The order as a line of a mass order."""
        quantity = f" | {self.own.again_quantity}" if self.own.terms.form.takes_quantity else ""
        values = {field.name: field.value for field in self.own.fields}
        return f"{self.own.tool.slug} | {self.own.order.link}{quantity}{mass_line.written(values)}"


def plan(order_ids: Iterable[int], action: BulkAction, *, customer_id: int, now: datetime) -> list[PlannedAction]:
    """Preview of the action for each of these orders of the customer; orders of others are left out."""
    found = (order_detail.find(order_id, customer_id=customer_id) for order_id in order_ids)
    return [_planned(own, action, now=now) for own in found if own is not None]


def _planned(own: OwnOrder, action: BulkAction, *, now: datetime) -> PlannedAction:
    match action:
        case BulkAction.AGAIN:
            is_gone = tools.find(own.tool.slug) is None
            return PlannedAction(own, "This tool is no longer offered." if is_gone else "")
        case BulkAction.REFILL:
            return PlannedAction(own, request_progress.why_no_refill_of(own, now=now) or "")
        case BulkAction.CANCEL:
            refusal = request_progress.why_no_cancellation_of(own) or ""
            can_wait = own.status is Status.PENDING or (own.status.is_open and bool(own.runs))
            is_here = can_wait and not cancellations.may_provider_have_order(own.id)
            return PlannedAction(own, refusal, ends_at_once=is_here and not refusal)


def do(order_id: int, action: BulkAction, *, customer_id: int, now: datetime) -> None:
    """Request the refill or the cancellation. Raises PanelError with the reason why not."""
    if action is BulkAction.CANCEL:
        cancellations.request_cancellation(order_id, customer_id=customer_id, now=now)
    else:
        refills.request_refill(order_id, customer_id=customer_id, now=now)
