"""Approval limit: money moved manually without a second operator's approval in the last 24 hours.

Counted per customer and per operator, so that an amount above the limit can't be split into several below it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, insert, select

from panel.db import db, table_of
from panel.models import UnapprovedTransfer, Voucher
from panel.services.money import ledger

WINDOW = timedelta(hours=24)

UNAPPROVED = table_of(UnapprovedTransfer)
VOUCHERS = table_of(Voucher)


@dataclass(frozen=True, slots=True)
class Unapproved:
    """Amounts moved without approval within the window, for this customer and by this operator."""

    customer_nanos: int
    operator_nanos: int

    def needs_approval(self, amount_nanos: int, *, limit_nanos: int) -> bool:
        """Whether this amount would bring either sum above the limit."""
        return max(self.customer_nanos, self.operator_nanos) + amount_nanos > limit_nanos


def lock(customer_id: int, *, operator_id: int | None) -> None:
    """Lock the accounts behind both sums until the transaction ends.

    Serializes two operators at one customer, and two requests of one operator at two customers. One statement locks
    both rows in the ledger's lock order, so that there is no deadlock.
    """
    ledger.lock_accounts([customer_id] if operator_id is None else [customer_id, operator_id])


def sums(customer_id: int, *, operator_id: int | None, now: datetime) -> Unapproved:
    """Both sums. They are stable only while `lock` is held."""
    by_operator = 0
    if operator_id is not None:
        by_operator = _sum(UNAPPROVED.c.operator_id == operator_id, now=now) + _vouchers(operator_id, now=now)
    return Unapproved(_sum(UNAPPROVED.c.customer_id == customer_id, now=now), by_operator)


def _sum(whose: ColumnElement[bool], *, now: datetime) -> int:
    lately = select(func.coalesce(func.sum(UNAPPROVED.c.amount_nanos), 0)).where(whose, UNAPPROVED.c.at > now - WINDOW)
    return int(db.session.scalar(lately) or 0)


def _vouchers(operator_id: int, *, now: datetime) -> int:
    """What vouchers that this operator made lately add to balances, if everything is redeemed."""
    made = (VOUCHERS.c.made_by == operator_id, VOUCHERS.c.made_at > now - WINDOW)
    worth = func.coalesce(func.sum(VOUCHERS.c.amount_nanos * VOUCHERS.c.uses), 0)
    return int(db.session.scalar(select(worth).where(*made)) or 0)


def record(transfer_id: int, *, customer_id: int, operator_id: int | None, amount_nanos: int, now: datetime) -> None:
    """Add this transfer to both sums. `operator_id`: None for the command line."""
    row = {
        "transfer_id": transfer_id,
        "customer_id": customer_id,
        "operator_id": operator_id,
        "amount_nanos": amount_nanos,
        "at": now,
    }
    db.session.execute(insert(UNAPPROVED), [row])
