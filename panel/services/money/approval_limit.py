"""Approval limit: money moved manually without a second operator's approval in the last 24 hours.

Counted per customer and per operator, so that an amount above the limit can't be split into several below it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, bindparam, func, insert, select

from panel.db import Int64, UtcDateTime, db, table_of
from panel.db.compiled_statements import CompiledStatement
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
    ((of_customer, by_operator, vouchers),) = _SUMS.fetch(
        # No operator has this id.
        {"customer_id": customer_id, "operator_id": operator_id or 0, "since": now - WINDOW}
    )
    return Unapproved(int(of_customer), int(by_operator) + int(vouchers))


def _sums() -> Select[int, int, int]:
    """Moved for the customer, moved by the operator, and what vouchers that this operator made lately add to balances,
    if everything is redeemed."""
    since = bindparam("since", type_=UtcDateTime())
    by_operator = bindparam("operator_id", type_=Int64)
    moved = func.coalesce(func.sum(UNAPPROVED.c.amount_nanos), 0)
    worth = func.coalesce(func.sum(VOUCHERS.c.amount_nanos * VOUCHERS.c.uses), 0)
    lately = select(moved).where(UNAPPROVED.c.at > since)
    return select(
        lately.where(UNAPPROVED.c.customer_id == bindparam("customer_id", type_=Int64)).scalar_subquery(),
        lately.where(UNAPPROVED.c.operator_id == by_operator).scalar_subquery(),
        select(worth).where(VOUCHERS.c.made_by == by_operator, VOUCHERS.c.made_at > since).scalar_subquery(),
    )


_SUMS = CompiledStatement(_sums)


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
