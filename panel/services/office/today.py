"""Figures of the current UTC day for the office dashboard: orders, charges, revenue, refunds and deposits.

Every amount is a sum of ledger transfers. The panel's own test orders are left out.
"""

from dataclasses import dataclass
from datetime import datetime, time

from sqlalchemy import ColumnElement, and_, case, func, literal, select

from panel.db import UtcDateTime, db, table_of
from panel.models import Order, Transfer, TransferKind
from panel.services import test_orders

ORDERS, TRANSFERS = table_of(Order), table_of(Transfer)


@dataclass(frozen=True, slots=True)
class TodayFigures:
    """Figures since midnight UTC. `revenue_nanos`: what was kept of orders that ended today.

    `refunds_nanos`: what went back to balances, whether by an order's end or as goodwill.
    """

    since: datetime
    orders: int
    charged_nanos: int
    revenue_nanos: int
    refunds_nanos: int
    deposits_nanos: int


def figures(*, now: datetime) -> TodayFigures:
    """The figures of the day that `now` belongs to."""
    since = datetime.combine(now.date(), time(), tzinfo=now.tzinfo)
    return TodayFigures(since, _orders(since), *_sums(since))


def _orders(since: datetime) -> int:
    start = literal(since, UtcDateTime())
    mine = (
        ORDERS.c.id > _last_before(ORDERS.c.id, ORDERS.c.placed_at < start),
        ORDERS.c.placed_at >= start,
        test_orders.is_real(ORDERS.c.customer_id),
    )
    return db.session.scalar(select(func.count()).where(*mine)) or 0


def _sums(since: datetime) -> tuple[int, int, int, int]:
    start, kind = literal(since, UtcDateTime()), TRANSFERS.c.kind
    is_goodwill = and_(kind == TransferKind.ADJUSTMENT, TRANSFERS.c.order_id.is_not(None))
    wanted = (
        kind == TransferKind.CHARGE,
        kind == TransferKind.KEEP,
        (kind == TransferKind.RETURN) | is_goodwill,
        kind == TransferKind.DEPOSIT,
    )
    mine = (
        TRANSFERS.c.id > _last_before(TRANSFERS.c.id, TRANSFERS.c.at < start),
        TRANSFERS.c.at >= start,
        ~test_orders.is_transfer(TRANSFERS),
    )
    row = db.session.execute(select(*(_sum(condition) for condition in wanted)).where(*mine)).one()
    return int(row[0]), int(row[1]), int(row[2]), int(row[3])


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, TRANSFERS.c.amount_nanos), else_=0)), 0)


def _last_before(number: ColumnElement[int], condition: ColumnElement[bool]) -> ColumnElement[int]:
    """Id of the newest row of an earlier day; read backwards, so that only today's rows are read."""
    last = select(number).where(condition).order_by(number.desc()).limit(1)
    return func.coalesce(last.scalar_subquery(), 0)
