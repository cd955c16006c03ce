"""Ledger audit: recompute everything cached or summed from transfers and events, and compare.

It runs on a live system and changes nothing; `record` saves how far the hash chains were verified. Each part is read
in a snapshot of its own: one that lasts for minutes keeps SQLite's write-ahead log and PostgreSQL's dead rows growing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Table, func, select

from panel.db import begin_snapshot, db, table_of
from panel.models import Order, OrderCount, Transfer
from panel.services import test_orders
from panel.services.money import audit_balances, audit_orders, audit_payments, audit_transfers, chain_verification
from panel.services.money.audit_parts import Progress, quietly, ranges_of
from panel.services.money.chain_verification import ChainReport, Mark

ORDERS = table_of(Order)
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


def audit(
    *,
    from_start: bool = False,
    noted: Sequence[Mark] = (),
    now: datetime | None = None,
    progress: Progress = quietly,
) -> Audit:
    """Compare balances, orders, events and counters with their transfers and events.

    Hash chains are verified from the last checkpoint or from the first row, and compared with earlier digests.
    """
    differences: list[str] = []
    for part in _parts(progress):
        begin_snapshot()
        differences += part()
    begin_snapshot()
    chains = chain_verification.verify(from_start=from_start, noted=noted, now=now, progress=progress)
    # Several parts may find the same.
    differences = list(dict.fromkeys([*differences, *chains.differences]))
    return Audit(
        orders=_count(ORDERS, test_orders.is_real(ORDERS.c.customer_id)),
        transfers=_count(TRANSFERS, ~test_orders.is_transfer(TRANSFERS)),
        differences=tuple(differences),
        chains=chains,
    )


def _parts(progress: Progress) -> Iterator[Callable[[], Iterable[str]]]:
    """The checks, each to be run in its own snapshot. New rows are in the last part of their table."""
    yield audit_balances.wrong_balances
    batches = audit_balances.batches_of_customers()
    for place, batch in enumerate(batches):
        progress("Daily sums of customers", place * audit_balances.ACCOUNTS_AT_ONCE, sum(map(len, batches)))
        yield partial(audit_balances.wrong_days, batch)
    yield audit_balances.days_of_the_house
    for part in ranges_of(TRANSFERS, what="Transfers", progress=progress):
        yield partial(audit_transfers.between_wrong_accounts, part)
    yield audit_transfers.wrong_adjustments
    yield audit_payments.wrong_vouchers
    yield audit_payments.wrong_deposits
    for part in ranges_of(ORDERS, what="Orders", progress=progress):
        for check in audit_orders.CHECKS:
            yield partial(check, part)
    yield _counts


def record(found: Audit, *, now: datetime) -> None:
    """Save how far the hash chains were verified."""
    chain_verification.record(found.chains, now=now)


def _count(table: Table, *conditions: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0


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
