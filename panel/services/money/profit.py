"""Profit: revenue, returns, cost and margin of the orders placed in a period, by day, tool, provider or customer.

A cost is what the provider charged; where it named no charge, the tool's rate in the provider's catalogue is used, and
the line says how much of its cost is such an estimate. Orders without either count as unknown. The panel's own test
orders are left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Date, case, cast, func, literal_column, select

from panel.db import db, table_of
from panel.domain.forms.own_fields import form_of
from panel.domain.lists.date_range import Period
from panel.domain.status import Status
from panel.models import Order, OrderCost, Provider, Terms, Tool, ToolRoute, User
from panel.services import test_orders
from panel.services.money import order_costs

ORDERS, COSTS = table_of(Order), table_of(OrderCost)
MAX_DAYS = 92
FORM = (Terms.order_type, Terms.quantity_rule, Terms.own_fields)
NANOS_A_UNIT = 1_000_000_000
# Orders of which the rest is not delivered any more; a running one is charged whole by its provider.
_DELIVERED = [status.value for status in Status if not status.is_open]


# Tool, provider, its service, and whether it is a package.
_Rated = tuple[int, int, str, bool]


class Grouping(StrEnum):
    """What the lines of the report are about."""

    DAY = "day"
    TOOL = "tool"
    PROVIDER = "provider"
    CUSTOMER = "customer"

    @property
    def label(self) -> str:
        return self.value.capitalize()


@dataclass(slots=True)
class ProfitSums:
    """Sums over orders, in nanos. `estimated_nanos` is the part of the cost that comes from catalogue rates."""

    orders: int = 0
    revenue_nanos: int = 0
    returned_nanos: int = 0
    cost_nanos: int = 0
    estimated_nanos: int = 0
    unknown_orders: int = 0
    # Revenue of the orders whose cost is unknown: it is not in the margin.
    unknown_revenue_nanos: int = 0

    def add(self, other: "ProfitSums") -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    @property
    def has_cost(self) -> bool:
        """Whether the cost of any of these orders is known."""
        return self.unknown_orders < self.orders

    @property
    def margin_nanos(self) -> int:
        return self.revenue_nanos - self.unknown_revenue_nanos - self.cost_nanos

    @property
    def margin_percent(self) -> str:
        """The margin's share of the revenue with a known cost, such as `31.4%`; empty without such revenue."""
        revenue = self.revenue_nanos - self.unknown_revenue_nanos
        if revenue <= 0:
            return ""
        tenths = (2_000 * self.margin_nanos + revenue) // (2 * revenue)
        sign = "-" if tenths < 0 else ""
        return f"{sign}{abs(tenths) // 10}.{abs(tenths) % 10}%"


@dataclass(frozen=True, slots=True)
class ProfitLine:
    """One line: its key, its name, and the office page about it."""

    key: str
    name: str
    url: str
    sums: ProfitSums


@dataclass(frozen=True, slots=True)
class Profit:
    """The report: its lines and their total."""

    lines: list[ProfitLine]
    total: ProfitSums


def report(grouping: Grouping, *, period: Period) -> Profit:
    """Profit of the orders placed in this period of at most MAX_DAYS.

    Lines by day are in their order, others by revenue, largest first.
    """
    found: dict[Any, ProfitSums] = defaultdict(ProfitSums)
    rates = _rates()
    for row in _rows(grouping, period=period):
        found[row.key].add(_sums(row, rates))
    total = ProfitSums()
    for sums in found.values():
        total.add(sums)
    lines = list(_named(grouping, found))
    if grouping is not Grouping.DAY:
        lines.sort(key=lambda line: (-line.sums.revenue_nanos, line.name))
    return Profit(lines, total)


def _rows(grouping: Grouping, *, period: Period) -> Iterable[Any]:
    """Sums by key, tool and provider, so that a rate applies to a whole row; each in two parts, for 64 bits are few."""
    key = _key(grouping)
    is_unknown = COSTS.c.cost_nanos.is_(None)
    delivered = case((ORDERS.c.status.in_(_DELIVERED), ORDERS.c.quantity - ORDERS.c.remains), else_=ORDERS.c.quantity)
    revenue = ORDERS.c.charge_nanos - ORDERS.c.returned_nanos
    columns: list[Any] = [
        key.label("key"),
        ORDERS.c.tool_id,
        ORDERS.c.provider_id,
        ORDERS.c.provider_service,
        ORDERS.c.is_package,
    ]
    sums = {
        "revenue": revenue,
        "returned": ORDERS.c.returned_nanos,
        "cost": func.coalesce(COSTS.c.cost_nanos, 0),
        "unknown_revenue": case((is_unknown, revenue), else_=0),
        "unknown_quantity": case((is_unknown, delivered), else_=0),
    }
    for name, amount in sums.items():
        columns.append(func.sum(amount // literal_column(str(NANOS_A_UNIT))).label(f"{name}_units"))
        columns.append(func.sum(amount % literal_column(str(NANOS_A_UNIT))).label(f"{name}_nanos"))
    statement = (
        select(*columns, func.count().label("orders"), func.sum(case((is_unknown, 1), else_=0)).label("unknown"))
        .select_from(ORDERS.outerjoin(COSTS, COSTS.c.order_id == ORDERS.c.id))
        .where(ORDERS.c.placed_at >= period.since, ORDERS.c.placed_at < period.until)
        .where(test_orders.is_real(ORDERS.c.customer_id))
        .group_by(*(literal_column(str(number)) for number in range(1, 6)))
        .order_by(literal_column("1"))
    )
    return db.session.execute(statement)


def _key(grouping: Grouping) -> ColumnElement[Any]:
    match grouping:
        case Grouping.TOOL:
            return ORDERS.c.tool_id
        case Grouping.PROVIDER:
            return ORDERS.c.provider_id
        case Grouping.CUSTOMER:
            return ORDERS.c.customer_id
    if db.engine.dialect.name == "sqlite":
        return func.date(ORDERS.c.placed_at, type_=Date())
    return cast(func.timezone("UTC", ORDERS.c.placed_at), Date())


def _rates() -> Mapping[_Rated, tuple[int, int]]:
    """Catalogue rates, and what one of their currency is worth in ours.

    A rate is that of the tool as it is now, not of orders from before it moved to another provider or service, or
    became a package.
    """
    own = (Tool.id, Tool.provider_id, Tool.provider_service, Tool.provider_rate_micros)
    others = (Tool.id, ToolRoute.provider_id, ToolRoute.service, ToolRoute.rate_micros)
    found = {}
    for source, columns in ((select(*own), own), (select(*others).join(Tool, Tool.id == ToolRoute.tool_id), others)):
        statement = (
            source.add_columns(Provider.exchange_nanos, *FORM)
            .join(Terms, Terms.id == Tool.terms_id)
            .join(Provider, Provider.id == columns[1])
            .where(columns[3].is_not(None), Provider.exchange_nanos.is_not(None))
        )
        for tool_id, provider_id, service, rate_micros, exchange_nanos, *form in db.session.execute(statement):
            found[tool_id, provider_id, service, form_of(*form).is_package] = (rate_micros, exchange_nanos)
    return found


def _sums(row: Any, rates: Mapping[_Rated, tuple[int, int]]) -> ProfitSums:
    sums = ProfitSums(
        orders=row.orders,
        revenue_nanos=_whole(row, "revenue"),
        returned_nanos=_whole(row, "returned"),
        cost_nanos=_whole(row, "cost"),
    )
    rate = rates.get((row.tool_id, row.provider_id, row.provider_service, row.is_package))
    if not row.unknown:
        return sums
    if rate is None:
        sums.unknown_orders, sums.unknown_revenue_nanos = row.unknown, _whole(row, "unknown_revenue")
        return sums
    quantity = _whole(row, "unknown_quantity")
    estimate = order_costs.at_rate(quantity, rate_micros=rate[0], is_package=row.is_package, exchange_nanos=rate[1])
    sums.cost_nanos, sums.estimated_nanos = sums.cost_nanos + estimate, estimate
    return sums


def _whole(row: Any, name: str) -> int:
    """A sum that was read in two parts."""
    return int(getattr(row, f"{name}_units")) * NANOS_A_UNIT + int(getattr(row, f"{name}_nanos"))


def _named(grouping: Grouping, found: Mapping[Any, ProfitSums]) -> Iterator[ProfitLine]:
    match grouping:
        case Grouping.DAY:
            names = {day: (day.isoformat(), f"/office/orders?from={day}&to={day}") for day in found}
        case Grouping.TOOL:
            rows = db.session.execute(select(Tool.id, Tool.name, Tool.slug))
            names = {row.id: (row.name, f"/office/tools/{row.slug}") for row in rows}
        case Grouping.PROVIDER:
            rows = db.session.execute(select(Provider.id, Provider.name))
            names = {row.id: (row.name, f"/office/providers/{row.id}") for row in rows}
        case Grouping.CUSTOMER:
            rows = db.session.execute(select(User.id, User.email).where(User.id.in_(found)))
            names = {row.id: (row.email, f"/office/customers/{row.id}") for row in rows}
    for key, sums in found.items():
        yield ProfitLine(str(key), *names[key], sums)
