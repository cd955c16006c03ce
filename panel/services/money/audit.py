"""Ledger audit: recompute everything cached or summed from transfers and events, and compare.

It reads one snapshot, so it can run on a live system, and changes nothing; `record` saves how far the hash chains were
verified.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Subquery, Table, case, func, or_, select

from panel.db import begin_snapshot, db, table_of
from panel.domain.settlement import settle
from panel.domain.status import Status
from panel.models import EventKind, Order, OrderCount, OrderEvent, OrderRun, Refill, Transfer, TransferKind
from panel.services import test_orders
from panel.services.money import audit_balances, audit_payments, audit_transfers, chain_verification
from panel.services.money.chain_verification import ChainReport, Mark

ORDERS = table_of(Order)
EVENTS = table_of(OrderEvent)
TRANSFERS = table_of(Transfer)


@dataclass(frozen=True)
class Audit:
    """Totals of customers' money and orders, and each difference as a sentence.

    The panel's own test orders are checked too, but not counted.
    """

    orders: int
    transfers: int
    differences: tuple[str, ...]
    chains: ChainReport

    @property
    def is_sound(self) -> bool:
        return not self.differences


def audit(*, from_start: bool = False, noted: Sequence[Mark] = (), now: datetime | None = None) -> Audit:
    """Compare balances, orders, events and counters with their transfers and events.

    Hash chains are verified from the last checkpoint or from the first row, and compared with earlier digests.
    """
    begin_snapshot()
    chains = chain_verification.verify(from_start=from_start, noted=noted, now=now)
    differences = [
        *audit_balances.wrong_balances(),
        *audit_balances.wrong_days(),
        *audit_transfers.between_wrong_accounts(),
        *_money_of_orders(),
        *_settlements(),
        *audit_transfers.wrong_adjustments(),
        *audit_payments.wrong_vouchers(),
        *audit_payments.wrong_gateway_deposits(),
        *_events(),
        *_counts(),
        *_refills(),
        *_runs(),
        *chains.differences,
    ]
    return Audit(
        orders=_count(ORDERS, test_orders.is_real(ORDERS.c.customer_id)),
        transfers=_count(TRANSFERS, ~test_orders.is_transfer(TRANSFERS)),
        differences=tuple(differences),
        chains=chains,
    )


def record(found: Audit, *, now: datetime) -> None:
    """Save how far the hash chains were verified."""
    chain_verification.record(found.chains, now=now)


def _count(table: Table, *conditions: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0


def _of(kind: TransferKind) -> ColumnElement[int]:
    return func.sum(case((TRANSFERS.c.kind == kind, TRANSFERS.c.amount_nanos), else_=0))


def _moved() -> Subquery:
    return (
        select(
            TRANSFERS.c.order_id,
            _of(TransferKind.CHARGE).label("charged"),
            _of(TransferKind.KEEP).label("kept"),
            _of(TransferKind.RETURN).label("returned"),
        )
        .where(TRANSFERS.c.order_id.is_not(None))
        .group_by(TRANSFERS.c.order_id)
        .subquery()
    )


def _money_of_orders() -> Iterator[str]:
    """Charged, kept and returned of each order equal its transfers."""
    moved = _moved()
    charged, kept, returned = (func.coalesce(moved.c[name], 0) for name in ("charged", "kept", "returned"))
    rows = db.session.execute(
        select(
            ORDERS.c.id,
            charged,
            kept,
            returned,
            ORDERS.c.charge_nanos,
            ORDERS.c.kept_nanos,
            ORDERS.c.returned_nanos,
        )
        .outerjoin(moved, moved.c.order_id == ORDERS.c.id)
        .where(
            or_(
                charged != ORDERS.c.charge_nanos,
                kept != ORDERS.c.kept_nanos,
                returned != ORDERS.c.returned_nanos,
            )
        )
    )
    for order_id, *amounts in rows:
        did, says = [int(amount) for amount in amounts[:3]], amounts[3:]
        yield f"Order {order_id} says charged, kept, returned {says}, its transfers moved {did}."


def _settlements() -> Iterator[str]:
    """Money is where the status says: recomputed from status, remains and price."""
    rows = db.session.execute(
        select(
            ORDERS.c.id,
            ORDERS.c.status,
            ORDERS.c.quantity,
            ORDERS.c.remains,
            ORDERS.c.price_micros_per_thousand,
            ORDERS.c.kept_nanos,
            ORDERS.c.returned_nanos,
        ).execution_options(yield_per=10_000)
    )
    for order_id, status, quantity, remains, price, kept, returned in rows:
        due = settle(Status(status), quantity=quantity, remains=remains, price_micros_per_thousand=price)
        if (due.kept_nanos, due.returned_nanos) != (kept, returned):
            yield f"Order {order_id} is {status} with {kept} kept and {returned} returned; {due} was due."


def _events() -> Iterator[str]:
    """The latest event of an order matches the order, and events have no gaps."""
    last = EVENTS.alias()
    newest = select(func.max(last.c.id)).where(last.c.order_id == ORDERS.c.id).correlate(ORDERS).scalar_subquery()
    same = [EVENTS.c[name] == ORDERS.c[name] for name in _OF_THE_ORDER]
    start = func.coalesce(EVENTS.c.start_count, -1) == func.coalesce(ORDERS.c.start_count, -1)
    matching = select(EVENTS.c.id).where(EVENTS.c.id == newest, *same, start).correlate(ORDERS).exists()
    for order_id in db.session.scalars(select(ORDERS.c.id).where(~matching)):
        yield f"Order {order_id} is not what its newest event says."
    line = select(EVENTS, *(_before(name) for name in _STATE)).subquery()
    first = line.c.version_before.is_(None)
    settled_before = line.c.kept_nanos_before + line.c.returned_nanos_before > 0
    broken = select(line.c.id, line.c.order_id).where(
        or_(
            (line.c.kind == EventKind.PLACED) != first,
            line.c.old_status != line.c.status_before,
            (line.c.kind == EventKind.MOVED) & (line.c.old_status == line.c.status),
            (line.c.kind == EventKind.NOTED) & or_(*(_differs(line, name) for name in _STATE)),
            (line.c.kind != EventKind.NOTED) & (line.c.version != func.coalesce(line.c.version_before, 0) + 1),
            settled_before & or_(_differs(line, "kept_nanos"), _differs(line, "returned_nanos")),
        )
    )
    for event_id, order_id in db.session.execute(broken):
        yield f"Event {event_id} of order {order_id} does not follow from the one before it."
    moves = select(EVENTS.c.old_status, EVENTS.c.status).where(EVENTS.c.kind == EventKind.MOVED).distinct()
    for old, new in db.session.execute(moves):
        if not Status(old).may_become(Status(new)):
            yield f"Some order went from {old} to {new}, which the table of statuses does not allow."


# Columns of the order's state after an event.
_STATE = ("status", "remains", "start_count", "kept_nanos", "returned_nanos", "version")
# The matching columns of the order's row and the head of its chain. `start_count` is nullable and compared separately.
_OF_THE_ORDER = ("status", "remains", "kept_nanos", "returned_nanos", "version", "chain_hash")


def _before(name: str) -> ColumnElement[Any]:
    """The same column of the order's previous event."""
    return func.lag(EVENTS.c[name]).over(partition_by=EVENTS.c.order_id, order_by=EVENTS.c.id).label(f"{name}_before")


def _differs(line: Subquery, name: str) -> ColumnElement[bool]:
    return line.c[name].is_distinct_from(line.c[f"{name}_before"])


def _counts() -> Iterator[str]:
    """Counters of orders by status equal a fresh count."""
    counted = (
        select(ORDERS.c.customer_id, ORDERS.c.status, func.count().label("orders"))
        .group_by(ORDERS.c.customer_id, ORDERS.c.status)
        .subquery()
    )
    kept = table_of(OrderCount)
    same = (kept.c.customer_id == counted.c.customer_id) & (kept.c.status == counted.c.status)
    is_now, says = func.coalesce(counted.c.orders, 0), func.coalesce(kept.c.orders, 0)
    uncounted = select(counted.c.customer_id, counted.c.status, is_now, says).outerjoin(kept, same)
    miscounted = select(kept.c.customer_id, kept.c.status, is_now, says).outerjoin(counted, same)
    for statement in (uncounted.where(kept.c.orders.is_(None)), miscounted.where(is_now != says)):
        for customer_id, status, orders, counted in db.session.execute(statement):
            yield f"Customer {customer_id} has {orders} orders in {status}, the count says {counted}."


def _refills() -> Iterator[str]:
    """An order is in Refill exactly while it has an open refill."""
    is_open = (
        select(Refill.id).where(Refill.order_id == ORDERS.c.id, Refill.state.in_(["requested", "running"])).exists()
    )
    in_refill = ORDERS.c.status == Status.REFILL
    for order_id in db.session.scalars(select(ORDERS.c.id).where(or_(in_refill & ~is_open, ~in_refill & is_open))):
        yield f"Order {order_id} and its refill task disagree."


def _runs() -> Iterator[str]:
    """A drip-feed order has the quantity and the remains of its runs together."""
    runs = table_of(OrderRun)
    undelivered = case(
        (runs.c.status == Status.COMPLETED, 0),
        (runs.c.status == Status.CANCELED, runs.c.quantity),
        else_=runs.c.remains,
    )
    sums = (func.sum(runs.c.quantity).label("quantity"), func.sum(undelivered).label("remains"))
    summed = select(runs.c.order_id, *sums).group_by(runs.c.order_id).subquery()
    rows = db.session.execute(
        select(ORDERS.c.id, ORDERS.c.quantity, ORDERS.c.remains, summed.c.quantity, summed.c.remains)
        .join(summed, summed.c.order_id == ORDERS.c.id)
        .where(or_(summed.c.quantity != ORDERS.c.quantity, summed.c.remains != ORDERS.c.remains))
    )
    for order_id, quantity, remains, of_runs, left in rows:
        yield f"Order {order_id} has {remains} of {quantity} left, its runs {int(left)} of {int(of_runs)}."
