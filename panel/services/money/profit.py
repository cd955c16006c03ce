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

from sqlalchemy import func, literal_column, select, union_all

from panel.db import db, table_of
from panel.domain.forms.own_fields import form_of
from panel.domain.lists.date_range import Period
from panel.models import Order, Provider, Terms, Tool, ToolRoute, User
from panel.services.money import order_costs, profit_sums

ORDERS = table_of(Order)
MAX_DAYS = 92
# Customers have no daily sums, which would be about as many as their orders: a page sums at most this many orders.
MAX_ORDERS_BY_CUSTOMER = 50_000
FORM = (Terms.order_type, Terms.quantity_rule, Terms.own_fields)


# Tool, provider, its service, and whether it is a package.
_Rated = tuple[int, int, str, bool]


class Grouping(StrEnum):
    """Grouping of the report's lines."""

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
    """The report: its lines and their total. `is_too_long`: there are too many orders for lines by customer."""

    lines: list[ProfitLine]
    total: ProfitSums
    is_too_long: bool = False


def page(grouping: Grouping, *, period: Period) -> Profit:
    """The report for a page: by customer without lines, if there are more than MAX_ORDERS_BY_CUSTOMER."""
    if grouping is Grouping.CUSTOMER:
        by_day = report(Grouping.DAY, period=period)
        if by_day.total.orders > MAX_ORDERS_BY_CUSTOMER:
            return Profit([], by_day.total, is_too_long=True)
    return report(grouping, period=period)


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
    """Sums by key, tool and provider, so that a rate applies to a whole row."""
    if grouping is Grouping.CUSTOMER:
        statement = profit_sums.of_orders(ORDERS.c.customer_id, *profit_sums.placed_within(period))
    else:
        sums = profit_sums.of_period(period)
        key = {Grouping.DAY: sums.c.day, Grouping.TOOL: sums.c.tool_id, Grouping.PROVIDER: sums.c.provider_id}[grouping]
        group = [key.label("key"), *(sums.c[name] for name in profit_sums.GROUP[1:])]
        statement = (
            select(*group, *(func.sum(sums.c[name]).label(name) for name in profit_sums.SUMS))
            .group_by(*(literal_column(str(number)) for number in range(1, len(group) + 1)))
            .having(func.sum(sums.c.orders) > 0)
            .order_by(literal_column("1"))
        )
    return db.session.execute(statement)


def _rates() -> Mapping[_Rated, tuple[int, int]]:
    """Catalogue rates, and what one of their currency is worth in ours.

    A rate is that of the tool as it is now, not of orders from before it moved to another provider or service, or
    became a package.
    """
    own = (Tool.id, Tool.provider_id, Tool.provider_service, Tool.provider_rate_micros)
    others = (Tool.id, ToolRoute.provider_id, ToolRoute.service, ToolRoute.rate_micros)
    parts = [
        source.add_columns(Provider.exchange_nanos, *FORM)
        .join(Terms, Terms.id == Tool.terms_id)
        .join(Provider, Provider.id == columns[1])
        .where(columns[3].is_not(None), Provider.exchange_nanos.is_not(None))
        for source, columns in ((select(*own), own), (select(*others).join(Tool, Tool.id == ToolRoute.tool_id), others))
    ]
    return {
        (tool_id, provider_id, service, form_of(*form).is_package): (rate_micros, exchange_nanos)
        for tool_id, provider_id, service, rate_micros, exchange_nanos, *form in db.session.execute(union_all(*parts))
    }


def _sums(row: Any, rates: Mapping[_Rated, tuple[int, int]]) -> ProfitSums:
    sums = ProfitSums(
        orders=row.orders,
        revenue_nanos=profit_sums.whole(row, "revenue"),
        returned_nanos=profit_sums.whole(row, "returned"),
        cost_nanos=profit_sums.whole(row, "cost"),
    )
    rate = rates.get((row.tool_id, row.provider_id, row.provider_service, row.is_package))
    if not row.unknown:
        return sums
    if rate is None:
        sums.unknown_orders, sums.unknown_revenue_nanos = row.unknown, profit_sums.whole(row, "unknown_revenue")
        return sums
    quantity = profit_sums.whole(row, "unknown_quantity")
    estimate = order_costs.at_rate(quantity, rate_micros=rate[0], is_package=row.is_package, exchange_nanos=rate[1])
    sums.cost_nanos, sums.estimated_nanos = sums.cost_nanos + estimate, estimate
    return sums


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
