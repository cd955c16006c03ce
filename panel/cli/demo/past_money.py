"""Writes the demo's history: the orders of a period, and the deposits that pay for them before they are placed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update

from panel.db import db
from panel.domain.money import NANOS_PER_UNIT
from panel.domain.provider_kind import ProviderKind
from panel.domain.resale import UpstreamCharge
from panel.domain.settlement import settle
from panel.models import AccountKind, DepositRequest, Order, Provider, Transfer, TransferKind
from panel.services.money import ledger, order_costs
from panel.services.money.ledger import Posting
from panel.services.orders import past_orders
from panel.services.orders.past_orders import PastOrder

NOTE = "Demo balance"
# Shares of the price that providers charge, by turns of the tools, in percent.
COST_PERCENTS = (48, 55, 62, 69, 76)
ORDERS_AT_ONCE = 500
DEPOSIT_NANOS = 50 * NANOS_PER_UNIT
# How long before the order the money was confirmed, and how long before that it was asked for.
CONFIRMED_BEFORE = timedelta(minutes=25)
CONFIRMED_AFTER = timedelta(minutes=40)


def write(orders: Sequence[PastOrder], *, since: datetime, until: datetime, tops_up: int | None = None) -> None:
    """Insert the orders that were placed and ended in the period. `tops_up`: who adds money once more at its end."""
    chosen = [order for order in orders if order.placed_at > since and order.steps[-1].at < until]
    deposits = _deposits(chosen)
    if tops_up is not None:
        deposits.append((until - timedelta(seconds=1), tops_up))
    postings = [_deposit(user_id, at=at) for at, user_id in deposits]
    past_orders.insert_orders(chosen, postings=postings)
    _link_requests(postings)


def _deposits(orders: Sequence[PastOrder]) -> list[tuple[datetime, int]]:
    """When and for whom money has to arrive so that no balance is ever below zero."""
    changes = sorted(change for order in orders for change in _changes(order))
    balances = {user_id: ledger.balance_nanos(user_id) for user_id in {order.customer_id for order in orders}}
    deposits = []
    for at, user_id, nanos in changes:
        if balances[user_id] + nanos < 0:
            deposits.append((at - CONFIRMED_BEFORE, user_id))
            balances[user_id] += DEPOSIT_NANOS
        balances[user_id] += nanos
    return sorted(deposits)


def _changes(order: PastOrder) -> list[tuple[datetime, int, int]]:
    """Changes of the balance: the charge when the order is placed, and the refund at its end."""
    price = order.offer.price_micros_per_thousand
    end = next(step for step in order.steps if step.to is not None and not step.to.is_open)
    assert end.to is not None
    back = settle(end.to, quantity=order.quantity, remains=end.remains, price_micros_per_thousand=price).returned_nanos
    taken = (order.placed_at, order.customer_id, -order.offer.charge_nanos(order.quantity))
    return [taken, (end.at, order.customer_id, back)] if back else [taken]


def _deposit(user_id: int, *, at: datetime) -> Posting:
    """A confirmed request of the office, and its transfer."""
    request = DepositRequest(
        customer_id=user_id, reference="", amount_nanos=DEPOSIT_NANOS, requested_at=at - CONFIRMED_AFTER
    )
    db.session.add(request)
    db.session.flush()
    request.reference = f"DEMO{request.id:02}"
    db.session.flush()
    reason = f"deposit:top-up:{request.id}"
    return Posting(AccountKind.DEPOSITS, user_id, DEPOSIT_NANOS, TransferKind.DEPOSIT, reason, note=NOTE, at=at)


def _link_requests(postings: Sequence[Posting]) -> None:
    """Link each deposit request to the transfer that confirmed it."""
    for posting in postings:
        transfer = select(Transfer.id).where(Transfer.reason == posting.reason).scalar_subquery()
        mine = DepositRequest.id == int(posting.reason.rsplit(":", 1)[1])
        db.session.execute(update(DepositRequest).where(mine).values(transfer_id=transfer))


def write_costs(*, now: datetime) -> None:
    """Store what the demo's providers charged for ended orders: a share of the price of what was delivered."""
    statement = (
        select(Order.id, Order.tool_id, Order.price_micros_per_thousand, Order.quantity - Order.remains)
        .join(Provider, Provider.id == Order.provider_id)
        .where(Provider.kind == ProviderKind.SIMULATED, Order.ended_at.is_not(None))
    )
    orders = list(db.session.execute(statement))
    for begin in range(0, len(orders), ORDERS_AT_ONCE):
        charges = {
            order_id: UpstreamCharge(price * COST_PERCENTS[tool_id % len(COST_PERCENTS)] // 100 * delivered, "")
            for order_id, tool_id, price, delivered in orders[begin : begin + ORDERS_AT_ONCE]
        }
        order_costs.record(charges, now=now)
