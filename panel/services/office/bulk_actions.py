"""Bulk actions on orders: a preview of the effect on each, then one transaction per order, and the results.

An order that moved between preview and action is reported and left as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from panel.domain.errors import BadInput, PanelError
from panel.domain.status import Status
from panel.services.office import order_actions, order_table
from panel.services.office.order_actions import ActionEffect, OrderAction, RequestedAction
from panel.services.office.order_table import OrderTableRow
from panel.services.orders import transitions

MOST = 100
# What an order can be given by hand without counts being typed for each.
BULK_STATUSES = (Status.PROCESSING, Status.IN_PROGRESS, Status.COMPLETED, Status.CANCELED)


@dataclass(frozen=True, slots=True)
class PreviewedOrder:
    """One order of the preview: its row, and the effect or the reason why there is none."""

    line: OrderTableRow
    effect: ActionEffect | None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """The effect on each order, with the total number and amount."""

    rows: tuple[PreviewedOrder, ...]
    missing: tuple[int, ...]

    @property
    def possible(self) -> tuple[PreviewedOrder, ...]:
        return tuple(row for row in self.rows if row.effect is not None)

    @property
    def returned_nanos(self) -> int:
        return sum(row.effect.money.returned_nanos for row in self.rows if row.effect is not None)

    @property
    def kept_nanos(self) -> int:
        return sum(row.effect.money.kept_nanos for row in self.rows if row.effect is not None)


def check_choice(order_ids: Sequence[int]) -> None:
    """Raise BadInput for no orders or too many."""
    if not order_ids:
        raise BadInput("Select at least one order with the checkbox in its row.", field="order")
    if len(order_ids) > MOST:
        raise BadInput(f"Select at most {MOST} orders at once.", field="order")


def preview(order_ids: Sequence[int], requested: RequestedAction, *, now: datetime) -> BulkPreview:
    """Preview of the action for each order. Changes nothing; locks the orders for the caller's transaction."""
    check_choice(order_ids)
    orders = transitions.lock_orders(order_ids)
    lines = order_table.of_ids(list(orders), now=now)
    rows = []
    for order_id in sorted(orders):
        try:
            rows.append(PreviewedOrder(lines[order_id], order_actions.effect(orders[order_id], requested, now=now)))
        except PanelError as error:
            rows.append(PreviewedOrder(lines[order_id], None, error.message))
    return BulkPreview(tuple(rows), tuple(sorted(set(order_ids) - orders.keys())))


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of the action on one order: done, or why not."""

    order_id: int
    refusal: str

    @property
    def is_done(self) -> bool:
        return not self.refusal


def requested(typed: Mapping[str, str], *, actor: str, operator_id: int) -> RequestedAction:
    """The action that a form names: `cancel`, or `move:completed` with its status. Raises BadInput for none."""
    name, _colon, status = typed.get("action", "").partition(":")
    try:
        action = OrderAction(name)
    except ValueError:
        raise BadInput("Choose what to do with these orders.", field="action") from None
    to = next((each for each in BULK_STATUSES if each.value == status), None)
    if action is OrderAction.MOVE and to is None:
        raise BadInput("Choose the status to set.", field="action")
    return RequestedAction(
        action, typed.get("reason", ""), actor, operator_id, to if action is OrderAction.MOVE else None
    )


def named(requested: RequestedAction) -> str:
    """The action as a form names it."""
    return f"{requested.action}:{requested.to}" if requested.to else requested.action.value


def title(requested: RequestedAction, count: int) -> str:
    """Label of the action on this many orders, as on its button."""
    orders = f"{count} order{'' if count == 1 else 's'}"
    return {
        OrderAction.CANCEL: f"Cancel {orders}",
        OrderAction.ASK: f"Ask the provider about {orders}",
        OrderAction.REVIEW: f"Open a review for {orders}",
        OrderAction.MOVE: f"Set {orders} to {requested.to.label if requested.to else ''}",
    }[requested.action]
