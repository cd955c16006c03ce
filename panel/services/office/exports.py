"""Exports of the office's lists: rows of orders, customers and deposits under their filters, read in batches.

Amounts are plain digits, times are ISO 8601 in UTC; each row has the columns of its head.
"""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.domain import money
from panel.domain.formatting import iso
from panel.domain.lists.office_order_filters import OfficeOrderFilters
from panel.models import DepositRequest, Transfer, User
from panel.services.office import customers, order_table
from panel.services.office.queue_counts import LatenessLimits

BATCH_SIZE = 1_000
ORDER_HEAD = (
    "order",
    "placed_at",
    "customer",
    "email",
    "tool",
    "link",
    "status",
    "quantity",
    "delivered",
    "charge",
    "returned",
    "provider",
    "provider_order",
    "unconfirmed",
)
CUSTOMER_HEAD = ("customer", "email", "role", "disabled_at", "balance", "orders", "last_seen_at")
DEPOSIT_HEAD = (
    "reference",
    "customer",
    "email",
    "requested_at",
    "requested",
    "state",
    "decided_at",
    "credited",
    "reason",
    "method",
    "fee",
    "bonus",
)

Row = tuple[object, ...]


def orders(wanted: OfficeOrderFilters, limits: LatenessLimits, *, now: datetime) -> Iterator[Row]:
    """Orders that match the filters, newest first."""
    after: int | None = None
    while True:
        page = order_table.page(wanted.at(after), limits, now=now, size=BATCH_SIZE)
        for line in page.lines:
            yield (
                line.id,
                iso(line.placed_at),
                line.customer_id,
                line.email,
                line.tool,
                line.link,
                line.status.label,
                line.quantity,
                line.delivered,
                money.plain(line.charge_nanos),
                money.plain(line.returned_nanos),
                line.provider,
                line.provider_order_id,
                _yes_or_no(line.is_unconfirmed),
            )
        if (after := page.next_after) is None:
            return


def people(search: str) -> Iterator[Row]:
    """Accounts that match the search, newest first."""
    after: int | None = None
    while True:
        page = customers.search(search, after=after, size=BATCH_SIZE)
        for row in page.rows:
            yield (
                row.id,
                row.email,
                row.role,
                _time(row.disabled_at),
                money.plain(row.balance_nanos),
                row.orders,
                _time(row.seen_at),
            )
        if (after := page.next_after) is None:
            return


def deposits() -> Iterator[Row]:
    """All deposits in any state, newest first."""
    before: int | None = None
    joined = (
        select(DepositRequest, User.email, Transfer.at, Transfer.amount_nanos)
        .join(User, User.id == DepositRequest.customer_id)
        .join(Transfer, Transfer.id == DepositRequest.transfer_id, isouter=True)
        .order_by(DepositRequest.id.desc())
        .limit(BATCH_SIZE)
    )
    while True:
        older = joined if before is None else joined.where(DepositRequest.id < before)
        rows = db.session.execute(older).all()
        for deposit, email, confirmed_at, credited_nanos in rows:
            state = "confirmed" if confirmed_at else "refused" if deposit.refused_at else "waiting"
            yield (
                deposit.reference,
                deposit.customer_id,
                email,
                iso(deposit.requested_at),
                money.plain(deposit.amount_nanos),
                state,
                _time(confirmed_at or deposit.refused_at),
                "" if credited_nanos is None else money.plain(credited_nanos),
                deposit.refused_reason,
                deposit.method_label,
                money.plain(deposit.fee_nanos),
                money.plain(deposit.bonus_nanos),
            )
            before = deposit.id
        if len(rows) < BATCH_SIZE:
            return


def _time(at: datetime | None) -> str:
    return "" if at is None else iso(at)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
