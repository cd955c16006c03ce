"""Figures of the current UTC day for the office dashboard: orders, charges, revenue, margin, refunds and deposits.

The margin is the profit report's; every other amount is a sum of ledger transfers. The panel's own test orders are
left out.
"""

from dataclasses import dataclass
from datetime import datetime, time

from sqlalchemy import ColumnElement, and_, case, func, literal, select

from panel.db import UtcDateTime, db, table_of
from panel.domain.lists.date_range import Period
from panel.models import Transfer, TransferKind
from panel.services import test_orders
from panel.services.money import profit
from panel.services.money.profit import Grouping, ProfitSums

TRANSFERS = table_of(Transfer)


@dataclass(frozen=True, slots=True)
class TodayFigures:
    """Figures since midnight UTC. `placed`: the profit of the orders placed since.

    `revenue_nanos`: what was kept of orders that ended today. `refunds_nanos`: what went back to balances, whether by
    an order's end or as goodwill.
    """

    since: datetime
    placed: ProfitSums
    charged_nanos: int
    revenue_nanos: int
    refunds_nanos: int
    deposits_nanos: int


def figures(*, now: datetime) -> TodayFigures:
    """The figures of the day that `now` belongs to."""
    since = datetime.combine(now.date(), time(), tzinfo=now.tzinfo)
    placed = profit.report(Grouping.DAY, period=Period(now.date(), now.date())).total
    return TodayFigures(since, placed, *_sums(since))


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
