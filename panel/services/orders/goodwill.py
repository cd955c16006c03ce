"""Goodwill refunds: money returned by an operator after settlement, never more than was kept.

Each amount is a separate transfer out of `adjustments`, numbered within its order. The form carries the number it
expects to create, so that a form sent twice, or by two operators, refunds once.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text

from panel import app_context
from panel.db import db, table_of
from panel.domain import money
from panel.domain.errors import ActionRefused, BadMoney, StaleForm
from panel.models import AccountKind, Order, Transfer, TransferKind
from panel.services import audit_log
from panel.services.money import approval_limit, ledger
from panel.services.money.ledger import Posting
from panel.services.orders import transitions
from panel.services.orders.transitions import Note

TRANSFERS = table_of(Transfer)
ASK_FOR_APPROVAL = "Propose a credit on the customer’s page: a second operator then approves it."

# Must match the predicate of the partial index on adjustments, or the index isn't used.
IS_GOODWILL = text("kind = 'adjustment'")


@dataclass(frozen=True, slots=True)
class Gift:
    """A goodwill refund to make: amount, message to the customer, and expected number within the order.

    `limit_nanos`: allowed without a second operator's approval, per order and within 24 hours.
    """

    amount_nanos: int
    words: str
    number: int
    actor: str
    operator_id: int
    limit_nanos: int


@dataclass(frozen=True, slots=True)
class Given:
    """A goodwill refund that was made. `line` is its number in the customer's statement."""

    line: int
    at: datetime
    amount_nanos: int
    words: str


@dataclass(frozen=True, slots=True)
class Room:
    """The amount that can still be refunded for an order, and the number of the next refund."""

    left_nanos: int
    number: int


def given(order_id: int) -> list[Given]:
    """Goodwill refunds of this order, oldest first."""
    rows = db.session.execute(
        select(TRANSFERS.c.id, TRANSFERS.c.at, TRANSFERS.c.amount_nanos, TRANSFERS.c.note)
        .where(TRANSFERS.c.order_id == order_id, IS_GOODWILL)
        .order_by(TRANSFERS.c.id)
    )
    return [Given(*row) for row in rows]


def room(order_id: int) -> Room:
    """The part of the charge that is still kept."""
    kept = db.session.scalar(select(Order.kept_nanos).where(Order.id == order_id))
    return _room(order_id, kept_nanos=kept or 0)


def _room(order_id: int, *, kept_nanos: int) -> Room:
    number, returned = db.session.execute(
        select(func.count(), func.coalesce(func.sum(TRANSFERS.c.amount_nanos), 0)).where(
            TRANSFERS.c.order_id == order_id, IS_GOODWILL
        )
    ).one()
    return Room(left_nanos=kept_nanos - int(returned), number=number + 1)


def check(order_id: int, gift: Gift, *, now: datetime) -> None:
    """Validate a goodwill refund. Raises BadInput, BadMoney or Refused."""
    audit_log.checked_reason(gift.words)
    owner, kept = db.session.execute(select(Order.customer_id, Order.kept_nanos).where(Order.id == order_id)).one()
    _check(owner, kept, _room(order_id, kept_nanos=kept), gift, now=now)


def give(order_id: int, gift: Gift, *, now: datetime) -> int:
    """Refund the amount to the customer's balance; returns the transfer id.

    Raises NotFound, BadInput without a message, StaleForm if another amount was refunded in the meantime, BadMoney for
    zero or more than is kept, and Refused if nothing is kept, above the limit, or for the operator's own order.
    """
    words = audit_log.checked_reason(gift.words)
    owner = db.session.scalar(select(Order.customer_id).where(Order.id == order_id))
    if owner is not None:
        approval_limit.lock(owner, operator_id=gift.operator_id)
    order = transitions.lock_order(order_id)
    left = _room(order_id, kept_nanos=order.kept_nanos)
    if left.number != gift.number:
        raise StaleForm(
            f"Another amount was returned for order {order_id} since you opened the form. "
            "Look at what is kept now, then decide again."
        )
    _check(order.customer_id, order.kept_nanos, left, gift, now=now)
    reason = f"goodwill:order:{order_id}:{gift.number}"
    posting = Posting(
        AccountKind.ADJUSTMENTS,
        order.customer_id,
        gift.amount_nanos,
        TransferKind.ADJUSTMENT,
        reason,
        order_id=order_id,
        note=words,
    )
    ledger.post([posting], held={order.customer_id: order.account_id}, now=now)
    amount = app_context.money_text(gift.amount_nanos)
    transitions.add_notes([Note(order, f"We returned {amount} to your balance. {words}")], now=now)
    detail = f"{money.plain(gift.amount_nanos)} returned: {words}"
    audit_log.write("orders goodwill", actor=gift.actor, subject=f"order {order_id}", detail=detail, now=now)
    line = int(db.session.scalars(select(TRANSFERS.c.id).where(TRANSFERS.c.reason == reason)).one())
    approval_limit.record(
        line, customer_id=order.customer_id, operator_id=gift.operator_id, amount_nanos=gift.amount_nanos, now=now
    )
    return line


def _check(owner: int, kept: int, left: Room, gift: Gift, *, now: datetime) -> None:
    if owner == gift.operator_id:
        raise ActionRefused("This is your own order. Another operator must do it.")
    if left.left_nanos <= 0:
        raise ActionRefused("Nothing is kept for this order, so there is nothing to return.")
    if not 0 < gift.amount_nanos <= left.left_nanos:
        raise BadMoney(
            f"Return an amount above 0 and at most {money.plain(left.left_nanos)}: that is what is still kept.",
            field="amount",
        )
    if kept - left.left_nanos + gift.amount_nanos > gift.limit_nanos:
        raise ActionRefused(
            f"One operator returns at most {money.plain(gift.limit_nanos)} for one order. {ASK_FOR_APPROVAL}"
        )
    moved = approval_limit.sums(owner, operator_id=gift.operator_id, now=now)
    if moved.needs_approval(gift.amount_nanos, limit_nanos=gift.limit_nanos):
        raise ActionRefused(
            f"Without a second operator, at most {money.plain(gift.limit_nanos)} is moved in 24 hours for one customer "
            f"and by one operator. So far it is {money.plain(moved.customer_nanos)} for this customer and "
            f"{money.plain(moved.operator_nanos)} by you. {ASK_FOR_APPROVAL}"
        )
