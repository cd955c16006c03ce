"""Daily sums behind the profit report: read with what is not added yet, added up by the worker, compared by the audit.

Triggers on orders and costs log each change (revision of `profit_changes`), in the transaction of the change. So the
sums of a day and the log together are exact at any moment, and no order waits for the row of its day.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    Subquery,
    case,
    cast,
    delete,
    func,
    literal_column,
    select,
    union_all,
)

from panel.db import db, lock_rows, table_of, upsert
from panel.domain.lists.date_range import Period
from panel.domain.status import Status
from panel.models import Order, OrderCost, ProfitChange, ProfitDay
from panel.services import test_orders

ORDERS, COSTS = table_of(Order), table_of(OrderCost)
DAYS, CHANGES = table_of(ProfitDay), table_of(ProfitChange)
NANOS_A_UNIT = 1_000_000_000
CHANGES_AT_ONCE = 5_000
# About how many orders one part of the audit reads.
ORDERS_A_PERIOD = 100_000

GROUP = ("day", "tool_id", "provider_id", "provider_service", "is_package")
SUMS = tuple(column.name for column in DAYS.columns if column.name not in GROUP)
AMOUNTS = tuple(name.removesuffix("_units") for name in SUMS if name.endswith("_units"))
# Orders of which the rest is not delivered any more; a running one is charged whole by its provider.
_DELIVERED = [status.value for status in Status if not status.is_open]


def of_period(period: Period) -> Subquery:
    """The sums of these days by their groups: those of the days, and the changes that are not added to them yet."""
    tables = (DAYS, CHANGES)
    days = (table.c.day.between(period.first, period.last) for table in tables)
    parts = [
        select(*(table.c[name] for name in (*GROUP, *SUMS))).where(day) for table, day in zip(tables, days, strict=True)
    ]
    return union_all(*parts).subquery()


def of_orders(key: ColumnElement[Any], *where: ColumnElement[bool]) -> Select[Any]:
    """The same sums, computed from the orders that match, with `key` in the place of the day."""
    is_unknown = COSTS.c.cost_nanos.is_(None)
    delivered = case((ORDERS.c.status.in_(_DELIVERED), ORDERS.c.quantity - ORDERS.c.remains), else_=ORDERS.c.quantity)
    revenue = ORDERS.c.charge_nanos - ORDERS.c.returned_nanos
    amounts = {
        "revenue": revenue,
        "returned": ORDERS.c.returned_nanos,
        "cost": func.coalesce(COSTS.c.cost_nanos, 0),
        "unknown_revenue": case((is_unknown, revenue), else_=0),
        "unknown_quantity": case((is_unknown, delivered), else_=0),
    }
    unit: ColumnElement[int] = literal_column(str(NANOS_A_UNIT))
    columns: list[Any] = [key.label("key"), *(ORDERS.c[name] for name in GROUP[1:])]
    columns += [func.count().label("orders"), func.sum(case((is_unknown, 1), else_=0)).label("unknown")]
    for name, amount in amounts.items():
        columns += [func.sum(amount // unit).label(f"{name}_units"), func.sum(amount % unit).label(f"{name}_nanos")]
    return (
        select(*columns)
        .select_from(ORDERS.outerjoin(COSTS, COSTS.c.order_id == ORDERS.c.id))
        .where(test_orders.is_real(ORDERS.c.customer_id), *where)
        .group_by(*(literal_column(str(number)) for number in range(1, len(GROUP) + 1)))
        .order_by(literal_column("1"))
    )


def placed_within(period: Period) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """That an order was placed on these days."""
    return ORDERS.c.placed_at >= period.since, ORDERS.c.placed_at < period.until


def whole(row: Any, name: str) -> int:
    """An amount that is kept in two parts."""
    return int(getattr(row, f"{name}_units")) * NANOS_A_UNIT + int(getattr(row, f"{name}_nanos"))


def is_behind() -> bool:
    """Whether there are changes to be added."""
    return db.session.scalar(select(CHANGES.c.id).limit(1)) is not None


def add_up(*, most: int = CHANGES_AT_ONCE) -> int:
    """Add the oldest changes to their days; returns how many."""
    found = db.session.execute(lock_rows(select(CHANGES).order_by(CHANGES.c.id).limit(most), skip_locked=True)).all()
    sums: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for row in found:
        given = row._mapping
        group = sums[tuple(given[name] for name in GROUP)]
        for name in SUMS:
            group[name] += given[name]
    if not sums:
        return 0
    statement = upsert(DAYS)
    added = {name: DAYS.c[name] + statement.excluded[name] for name in SUMS}
    statement = statement.on_conflict_do_update(index_elements=list(GROUP), set_=added)
    # In one order, so that two workers can't wait for each other.
    rows = [
        {**dict(zip(GROUP, key, strict=True)), **{name: group[name] for name in SUMS}}
        for key, group in sorted(sums.items())
    ]
    db.session.execute(statement, rows)
    ids = [row.id for row in found]
    db.session.execute(delete(CHANGES).where(CHANGES.c.id.between(ids[0], ids[-1]), CHANGES.c.id.in_(ids)))
    return len(found)


def periods_to_check() -> list[Period]:
    """All days with orders, in periods that have some 100,000 orders each, for `wrong_sums`."""
    first, last = db.session.execute(select(func.min(ORDERS.c.placed_at), func.max(ORDERS.c.placed_at))).one()
    kept = db.session.execute(select(DAYS.c.day, func.sum(DAYS.c.orders)).group_by(DAYS.c.day).order_by(DAYS.c.day))
    counts = [(row[0], int(row[1])) for row in kept]
    return _periods(counts, first=first and first.date(), last=last and last.date())


def _periods(counts: list[tuple[date, int]], *, first: date | None, last: date | None) -> list[Period]:
    """Periods without gaps from the first day to the last, each with the days until it has enough orders."""
    days = [day for day, _ in counts] + [day for day in (first, last) if day is not None]
    if not days:
        return []
    periods, since, orders = [], min(days), 0
    for day, count in counts:
        orders += count
        if orders >= ORDERS_A_PERIOD and day < max(days):
            periods.append(Period(since, day))
            since, orders = date.fromordinal(day.toordinal() + 1), 0
    return [*periods, Period(since, max(days))]


def wrong_sums(period: Period) -> Iterator[str]:
    """The sums of each of these days equal those of its orders."""
    kept: dict[Any, Counter[str]] = defaultdict(Counter)
    found = of_period(period)
    for row in db.session.execute(select(found)):
        _add(kept[tuple(row._mapping[name] for name in GROUP)], row)
    summed: dict[Any, Counter[str]] = defaultdict(Counter)
    for row in db.session.execute(of_orders(day_of_orders(), *placed_within(period))):
        _add(summed[row.key, row.tool_id, row.provider_id, row.provider_service, row.is_package], row)
    # A Counter's missing entries are 0, as are sums of orders that have all moved to another provider.
    different = {key[0] for key in kept.keys() | summed.keys() if kept[key] != summed[key]}
    for day in sorted(different):
        yield f"The profit of {day} is not that of its orders."


def _add(sums: Counter[str], row: Any) -> None:
    sums["orders"] += int(row.orders)
    sums["unknown"] += int(row.unknown)
    for name in AMOUNTS:
        sums[name] += whole(row, name)


def day_of_orders() -> ColumnElement[Any]:
    """The day (UTC) on which an order was placed."""
    if db.engine.dialect.name == "sqlite":
        return func.date(ORDERS.c.placed_at, type_=Date())
    return cast(func.timezone("UTC", ORDERS.c.placed_at), Date())
