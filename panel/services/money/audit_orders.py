"""Audit checks of orders by parts: money, settlement, events, refills and runs of the orders with these ids.

Part of `audit.py`, which reads each part in a snapshot of its own.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Subquery, case, func, or_, select

from panel.db import db, table_of
from panel.domain.settlement import settle
from panel.domain.status import Status
from panel.models import IS_SETTLING, EventKind, Order, OrderCount, OrderEvent, OrderRun, Refill, Transfer, TransferKind
from panel.services.money.audit_parts import AuditPart

ORDERS = table_of(Order)
EVENTS = table_of(OrderEvent)
TRANSFERS = table_of(Transfer)


def _of(kind: TransferKind) -> ColumnElement[int]:
    return func.sum(case((TRANSFERS.c.kind == kind, TRANSFERS.c.amount_nanos), else_=0))


def _moved(part: AuditPart) -> Subquery:
    return (
        select(
            TRANSFERS.c.order_id,
            _of(TransferKind.CHARGE).label("charged"),
            _of(TransferKind.KEEP).label("kept"),
            _of(TransferKind.RETURN).label("returned"),
        )
        .where(IS_SETTLING, part.has(TRANSFERS.c.order_id))
        .group_by(TRANSFERS.c.order_id)
        .subquery()
    )


def money_of_orders(part: AuditPart) -> Iterator[str]:
    """Charged, kept and returned of each order equal its transfers."""
    moved = _moved(part)
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
            part.has(ORDERS.c.id),
            or_(
                charged != ORDERS.c.charge_nanos,
                kept != ORDERS.c.kept_nanos,
                returned != ORDERS.c.returned_nanos,
            ),
        )
    )
    for order_id, *amounts in rows:
        did, says = [int(amount) for amount in amounts[:3]], amounts[3:]
        yield f"Order {order_id} says charged, kept, returned {says}, its transfers moved {did}."


def settlements(part: AuditPart) -> Iterator[str]:
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
        )
        .where(part.has(ORDERS.c.id))
        .execution_options(yield_per=10_000)
    )
    for order_id, status, quantity, remains, price, kept, returned in rows:
        due = settle(Status(status), quantity=quantity, remains=remains, price_micros_per_thousand=price)
        if (due.kept_nanos, due.returned_nanos) != (kept, returned):
            yield f"Order {order_id} is {status} with {kept} kept and {returned} returned; {due} was due."


def events(part: AuditPart) -> Iterator[str]:
    """The latest event of an order matches the order, and events have no gaps."""
    last = EVENTS.alias()
    newest = select(func.max(last.c.id)).where(last.c.order_id == ORDERS.c.id).correlate(ORDERS).scalar_subquery()
    same = [EVENTS.c[name] == ORDERS.c[name] for name in _OF_THE_ORDER]
    start = func.coalesce(EVENTS.c.start_count, -1) == func.coalesce(ORDERS.c.start_count, -1)
    matching = select(EVENTS.c.id).where(EVENTS.c.id == newest, *same, start).correlate(ORDERS).exists()
    for order_id in db.session.scalars(select(ORDERS.c.id).where(part.has(ORDERS.c.id), ~matching)):
        yield f"Order {order_id} is not what its newest event says."
    line = select(EVENTS, *(_before(name) for name in _STATE)).where(part.has(EVENTS.c.order_id)).subquery()
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
    moved = (EVENTS.c.kind == EventKind.MOVED, part.has(EVENTS.c.order_id))
    moves = select(EVENTS.c.old_status, EVENTS.c.status).where(*moved).distinct()
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


def refills(part: AuditPart) -> Iterator[str]:
    """An order is in Refill exactly while it has an open refill."""
    is_open = (
        select(Refill.id).where(Refill.order_id == ORDERS.c.id, Refill.state.in_(["requested", "running"])).exists()
    )
    in_refill = ORDERS.c.status == Status.REFILL
    wrong = or_(in_refill & ~is_open, ~in_refill & is_open)
    for order_id in db.session.scalars(select(ORDERS.c.id).where(part.has(ORDERS.c.id), wrong)):
        yield f"Order {order_id} and its refill task disagree."


def runs(part: AuditPart) -> Iterator[str]:
    """A drip-feed order has the quantity and the remains of its runs together."""
    runs = table_of(OrderRun)
    undelivered = case(
        (runs.c.status == Status.COMPLETED, 0),
        (runs.c.status == Status.CANCELED, runs.c.quantity),
        else_=runs.c.remains,
    )
    sums = (func.sum(runs.c.quantity).label("quantity"), func.sum(undelivered).label("remains"))
    summed = select(runs.c.order_id, *sums).where(part.has(runs.c.order_id)).group_by(runs.c.order_id).subquery()
    rows = db.session.execute(
        select(ORDERS.c.id, ORDERS.c.quantity, ORDERS.c.remains, summed.c.quantity, summed.c.remains)
        .join(summed, summed.c.order_id == ORDERS.c.id)
        .where(or_(summed.c.quantity != ORDERS.c.quantity, summed.c.remains != ORDERS.c.remains))
    )
    for order_id, quantity, remains, of_runs, left in rows:
        yield f"Order {order_id} has {remains} of {quantity} left, its runs {int(left)} of {int(of_runs)}."


def counts(part: AuditPart) -> Iterator[str]:
    """Counters of these customers' orders by status equal a fresh count."""
    kept = table_of(OrderCount)
    counted = (
        select(ORDERS.c.customer_id, ORDERS.c.status, func.count().label("orders"))
        .where(part.has(ORDERS.c.customer_id))
        .group_by(ORDERS.c.customer_id, ORDERS.c.status)
        .subquery()
    )
    same = (kept.c.customer_id == counted.c.customer_id) & (kept.c.status == counted.c.status)
    is_now, says = func.coalesce(counted.c.orders, 0), func.coalesce(kept.c.orders, 0)
    uncounted = select(counted.c.customer_id, counted.c.status, is_now, says).outerjoin(kept, same)
    miscounted = select(kept.c.customer_id, kept.c.status, is_now, says).outerjoin(counted, same)
    wrong = (uncounted.where(kept.c.orders.is_(None)), miscounted.where(part.has(kept.c.customer_id), is_now != says))
    for statement in wrong:
        for customer_id, status, orders, stored in db.session.execute(statement):
            yield f"Customer {customer_id} has {orders} orders in {status}, the count says {stored}."


CHECKS = (money_of_orders, settlements, events, refills, runs)
