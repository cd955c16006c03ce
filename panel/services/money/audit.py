"""Ledger audit: recompute everything cached or summed from transfers and events, and compare.

It runs on a live system and changes none of it; `record` saves how far the hash chains were verified. Each part is read
in a snapshot of its own: one that lasts for minutes keeps SQLite's write-ahead log and PostgreSQL's dead rows growing.
Between two parts a resumable audit stores where it is (`audit_progress`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import func, select

from panel.db import begin_snapshot, db, table_of
from panel.models import AccountKind, Order, Transfer, User
from panel.services import test_orders
from panel.services.money import (
    audit_balances,
    audit_orders,
    audit_parts,
    audit_payments,
    audit_transfers,
    chain_verification,
    ledger_sums,
    profit_sums,
)
from panel.services.money.audit_parts import Progress, add_differences, quietly, ranges_of
from panel.services.money.audit_progress import AuditState, ResumableRun
from panel.services.money.chain_report import ChainHead, ChainReport

ORDERS = table_of(Order)
TRANSFERS = table_of(Transfer)
USERS = table_of(User)
CUSTOMERS_AT_ONCE = 1_000


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
    noted: Sequence[ChainHead] = (),
    now: datetime | None = None,
    progress: Progress = quietly,
    is_resumable: bool = False,
) -> Audit:
    """Compare balances, orders, events, counters and daily sums with their transfers and events.

    Hash chains are verified from the last checkpoint or from the first row, and compared with earlier digests. If
    `is_resumable`, an audit of the same that was stopped goes on where it was.
    """
    kind = " ".join(["from start" if from_start else "from checkpoint", *(f"{mark}" for mark in noted)])
    run = ResumableRun(kind, now=now if is_resumable else None)
    state = run.state
    for number, step in enumerate(STEPS):
        if number < state.step:
            continue
        for after, part in step(state, progress):
            begin_snapshot()
            add_differences(state.differences, part())
            if after is not None:
                state.after = after
                run.save()
        state.step, state.after = number + 1, 0
        run.save()
    begin_snapshot()
    chains = chain_verification.verify(from_start=from_start, noted=noted, now=now, progress=progress, run=run)
    run.end()
    begin_snapshot()
    # Several parts may find the same.
    differences = list(dict.fromkeys([*state.differences, *chains.differences]))
    orders = select(func.count()).select_from(ORDERS).where(test_orders.is_real(ORDERS.c.customer_id))
    return Audit(
        orders=db.session.scalar(orders) or 0,
        transfers=ledger_sums.of_days(None, None, None).lines,
        differences=tuple(differences),
        chains=chains,
    )


# Parts of a step: up to which row its table is checked with it (None: not to be resumed there), and the check, to be
# run in a snapshot of its own.
_Parts = Iterator[tuple[int | None, Callable[[], Iterable[str]]]]


def _accounts(state: AuditState, progress: Progress) -> _Parts:
    batches = audit_balances.batches_of_customers(after=state.after)
    for place, batch in enumerate(batches):
        progress("Daily sums of customers", place * audit_balances.ACCOUNTS_AT_ONCE, sum(map(len, batches)))
        yield batch[-1], partial(audit_balances.wrong_accounts, batch)
    yield None, audit_balances.days_of_the_house


def _transfers(state: AuditState, progress: Progress) -> _Parts:
    for part in ranges_of(TRANSFERS, what="Transfers", progress=progress, first=state.after):
        yield part.up_to, partial(audit_transfers.between_wrong_accounts, part)
    yield None, audit_transfers.wrong_adjustments


def _payments(_state: AuditState, _progress: Progress) -> _Parts:
    yield None, audit_payments.wrong_vouchers
    yield None, audit_payments.wrong_deposits


def _orders(state: AuditState, progress: Progress) -> _Parts:
    """New rows are in the last part of their table."""
    for part in ranges_of(ORDERS, what="Orders", progress=progress, first=state.after):
        *others, last = audit_orders.CHECKS
        for check in others:
            yield None, partial(check, part)
        yield part.up_to, partial(last, part)


def _counts(state: AuditState, progress: Progress) -> _Parts:
    what = "Counts of customers' orders"
    for part in ranges_of(USERS, what=what, progress=progress, first=state.after, at_once=CUSTOMERS_AT_ONCE):
        yield part.up_to, partial(audit_orders.counts, part)


def _profit(state: AuditState, progress: Progress) -> _Parts:
    periods = profit_sums.periods_to_check()
    for place, period in enumerate(periods):
        if (last_day := period.last.toordinal()) > state.after:
            progress("Days of profit", place, len(periods))
            yield last_day, partial(profit_sums.wrong_sums, period)


def _ledger(state: AuditState, progress: Progress) -> _Parts:
    """All transfers by day and accounts: those in the kept sums by parts, the newer ones with the last part."""
    until = ledger_sums.summed_up_to()
    for after in range(state.after, until, audit_parts.IDS_AT_ONCE):
        progress("Sums of the ledger", after, until)
        up_to = min(after + audit_parts.IDS_AT_ONCE, until)
        yield up_to, partial(_add, state, after, up_to)
    yield None, partial(_wrong_ledger, state, max(state.after, until))


def _add(state: AuditState, after: int, up_to: int | None) -> Iterable[str]:
    for row in db.session.execute(ledger_sums.between(after, up_to)):
        lines, nanos, first, last = state.sums.get(group := ledger_sums.group_of(row), [0, 0, row.first_id, 0])
        state.sums[group] = [
            lines + int(row.lines),
            nanos + ledger_sums.amount(row),
            min(first, row.first_id),
            max(last, row.last_id),
        ]
    return ()


def _wrong_ledger(state: AuditState, summed: int) -> Iterator[str]:
    until = max(summed, ledger_sums.summed_up_to())
    _add(state, summed, until)
    yield from ledger_sums.wrong_sums({group: tuple(sums) for group, sums in state.sums.items()})
    _add(state, until, None)
    yield from audit_balances.wrong_held_money(ledger_sums.balance(state.sums, AccountKind.HOLDS))


STEPS = (_accounts, _transfers, _payments, _orders, _counts, _profit, _ledger)


def record(found: Audit, *, now: datetime) -> None:
    """Save how far the hash chains were verified."""
    chain_verification.record(found.chains, now=now)
