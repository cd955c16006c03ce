"""Ledger oracle: balances and orders recomputed from transfers and events, to compare with the stored rows.

It doesn't use the panel's own ledger or audit, so that it finds their mistakes too.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from panel.db import db
from panel.domain.status import FACTS, ChargeState, Status
from panel.models import Account, Order, OrderCount, OrderEvent, Refill, Transfer


@dataclass
class ReplayedOrder:
    """An order recomputed from its events."""

    status: Status
    remains: int
    start_count: int | None
    kept_nanos: int
    returned_nanos: int
    version: int


def all_rows() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, to compare before and after."""
    db.session.rollback()
    tables = db.metadata.sorted_tables
    return {table.name: sorted(map(tuple, db.session.execute(select(table))), key=repr) for table in tables}


EVENT = select(*OrderEvent.__table__.c).order_by(OrderEvent.id)
ORDER = select(*Order.__table__.c)
TRANSFER = select(*Transfer.__table__.c)


def replay(order_id: int) -> ReplayedOrder:
    """Replay an order's events; fails at a transition that the status table doesn't allow."""
    first, *rest = db.session.execute(EVENT.where(OrderEvent.order_id == order_id)).all()
    assert (first.kind, first.old_status, first.status, first.version) == ("placed", None, "pending", 1)
    now = _state(first)
    for event in rest:
        assert event.old_status == now.status, f"event {event.id} does not begin where order {order_id} was"
        after = _state(event)
        if event.kind == "noted":
            assert after == now, f"event {event.id} only notes, and yet it changes order {order_id}"
            continue
        assert after.version == now.version + 1, f"order {order_id} skips a version at event {event.id}"
        if event.kind == "moved":
            assert after.status in FACTS[now.status].next, f"order {order_id}: {now.status} became {after.status}"
        else:
            assert (event.kind, after.status) == ("counted", now.status)
        if FACTS[now.status].money is not ChargeState.HELD:
            settled = (now.kept_nanos, now.returned_nanos)
            assert (after.kept_nanos, after.returned_nanos) == settled, f"order {order_id} was settled twice"
        now = after
    return now


def _state(event: Row[Any]) -> ReplayedOrder:
    return ReplayedOrder(
        Status(event.status),
        event.remains,
        event.start_count,
        event.kept_nanos,
        event.returned_nanos,
        event.version,
    )


def assert_consistent(*, order_ids: Sequence[int] | None = None, with_refills: bool = True) -> None:
    """Assert that balances, counts and orders (all, or those given) match their transfers and events."""
    db.session.rollback()
    _assert_balances()
    _assert_counts()
    transfers = _moved_by_order()
    in_refill = set(db.session.scalars(select(Refill.order_id).where(Refill.ended_at.is_(None))))
    for order in db.session.execute(ORDER if order_ids is None else ORDER.where(Order.id.in_(order_ids))):
        assert_order(order, transfers.get(order.id, Counter()))
        is_expected = (order.status == Status.REFILL) == (order.id in in_refill)
        assert is_expected or not with_refills, f"order {order.id} and its refill task disagree"


def assert_order(order: Row[Any], moved: Counter[str]) -> None:
    """Assert for one order: charge = kept + returned + held, in its row, its transfers and its events."""
    status = Status(order.status)
    charge = order.quantity * order.price_micros_per_thousand
    kept, returned = moved["keep"], moved["return"]
    held = moved["charge"] - kept - returned
    assert moved["charge"] == order.charge_nanos == charge
    assert (kept, returned) == (order.kept_nanos, order.returned_nanos)
    assert held == (charge if status.facts.money is ChargeState.HELD else 0), f"order {order.id} holds {held}"
    assert 0 <= returned <= charge and 0 <= kept <= charge
    if status is Status.PARTIAL:
        assert returned == order.remains * order.price_micros_per_thousand
    if status.facts.money is ChargeState.RETURNED:
        assert returned == charge
    if status.facts.money is ChargeState.KEPT:
        assert kept == charge
    row = ReplayedOrder(status, order.remains, order.start_count, order.kept_nanos, order.returned_nanos, order.version)
    assert replay(order.id) == row, f"order {order.id} does not match its events"


def _assert_balances() -> None:
    sums: Counter[int] = Counter()
    for transfer in db.session.execute(TRANSFER):
        assert transfer.amount_nanos > 0
        sums[transfer.from_account_id] -= transfer.amount_nanos
        sums[transfer.to_account_id] += transfer.amount_nanos
    assert sum(sums.values()) == 0
    customers = select(Account.id, Account.balance_nanos).where(Account.user_id.is_not(None))
    for account_id, balance_nanos in db.session.execute(customers):
        assert balance_nanos == sums[account_id] >= 0, f"account {account_id}"


def _assert_counts() -> None:
    orders = Counter(tuple(row) for row in db.session.execute(select(Order.customer_id, Order.status)))
    counts = db.session.execute(select(OrderCount.customer_id, OrderCount.status, OrderCount.orders))
    kept = {(customer_id, status): number for customer_id, status, number in counts if number}
    assert kept == dict(orders)


def _moved_by_order() -> dict[int, Counter[str]]:
    moved: dict[int, Counter[str]] = {}
    for transfer in db.session.execute(TRANSFER.where(Transfer.order_id.is_not(None))):
        moved.setdefault(transfer.order_id, Counter())[transfer.kind] += transfer.amount_nanos
    return moved
