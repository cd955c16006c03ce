"""Order costs: what providers charged, from their `status` answers, with reviews of charges that look wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, and_, bindparam, case, select

from panel import app_context
from panel.db import db, table_of, upsert
from panel.domain import money, pricing, resale
from panel.domain.forms.own_fields import form_of
from panel.domain.resale import UpstreamCharge
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import Order, OrderCost, OrderRun, Provider, RunCost, Terms, Tool, ToolRoute
from panel.models.order_cost import ProviderCharge
from panel.services import reviews

COSTS, RUN_COSTS = table_of(OrderCost), table_of(RunCost)

_IS_OWN = and_(Tool.provider_id == Order.provider_id, Tool.provider_service == Order.provider_service)
_IS_ROUTE = and_(
    ToolRoute.tool_id == Order.tool_id,
    ToolRoute.provider_id == Order.provider_id,
    ToolRoute.service == Order.provider_service,
)
# The rate where the order is, as it is now.
_RATE = case((_IS_OWN, Tool.provider_rate_micros), else_=ToolRoute.rate_micros)


@dataclass(frozen=True, slots=True)
class CostOfOrder:
    """Cost of an order in our currency, None if unknown; and the provider's charge, where it named one."""

    cost_nanos: int | None
    charge_nanos: int | None
    currency: str
    is_estimate: bool


def _known(costs: type[ProviderCharge], *, key: Any, quantity: Any, price_nanos: Any) -> Select[Any]:
    """Known facts of the orders, or runs, that a provider charged for."""
    return (
        select(
            key.label("id"),
            quantity.label("quantity"),
            Order.is_package,
            price_nanos.label("price_nanos"),
            Order.provider_id,
            Tool.name.label("tool"),
            _RATE.label("rate_micros"),
            Terms.order_type,
            Terms.quantity_rule,
            Terms.own_fields,
            Provider.name.label("provider"),
            Provider.catalogue_currency,
            Provider.exchange_nanos,
            costs.charge_nanos,
            costs.currency,
        )
        .select_from(Order)
        .join(Tool, Tool.id == Order.tool_id)
        .join(Terms, Terms.id == Tool.terms_id)
        .join(Provider, Provider.id == Order.provider_id)
        .join(ToolRoute, _IS_ROUTE, isouter=True)
        .where(key.in_(bindparam("ids", expanding=True)))
    )


_KNOWN = _known(OrderCost, key=Order.id, quantity=Order.quantity, price_nanos=Order.charge_nanos).join(
    OrderCost, OrderCost.order_id == Order.id, isouter=True
)
# A charge is about the current run, which is where the order is.
_KNOWN_RUNS = (
    _known(
        RunCost,
        key=OrderRun.id,
        quantity=OrderRun.quantity,
        price_nanos=Order.price_micros_per_thousand * OrderRun.quantity,
    )
    .join(OrderRun, OrderRun.order_id == Order.id)
    .join(RunCost, RunCost.run_id == OrderRun.id, isouter=True)
)


def record(charges: Mapping[int, UpstreamCharge], *, now: datetime) -> None:
    """Record these charges by order id; one that is known already writes nothing. The orders must be locked."""
    _record(charges, statement=_KNOWN, costs=COSTS, key="order_id", now=now)


def record_runs(charges: Mapping[int, UpstreamCharge], *, now: datetime) -> None:
    """Record these charges by id of the run. The orders must be locked; `run_costs.sum_up` comes after."""
    _record(charges, statement=_KNOWN_RUNS, costs=RUN_COSTS, key="run_id", now=now)


def _record(
    charges: Mapping[int, UpstreamCharge], *, statement: Select[Any], costs: Table, key: str, now: datetime
) -> None:
    if not charges:
        return
    rows = []
    for known in db.session.execute(statement, {"ids": list(charges)}):
        charge = charges[known.id]
        if (known.charge_nanos, known.currency) == (charge.nanos, charge.currency):
            continue
        exchange_nanos = _exchange(known, charge)
        cost = None if exchange_nanos is None else resale.in_ours(charge.nanos, exchange_nanos=exchange_nanos)
        rows.append({key: known.id, **row(charge, exchange_nanos=exchange_nanos, cost_nanos=cost, now=now)})
        _check(known, charge, cost_nanos=cost, now=now)
    write(costs, rows, key=key)


def write(costs: Table, rows: list[dict[str, Any]], *, key: str) -> None:
    """Insert these charges, or replace those that are known."""
    if rows:
        add = upsert(costs)
        changed = {name: add.excluded[name] for name in rows[0] if name != key}
        db.session.execute(add.on_conflict_do_update(index_elements=[key], set_=changed), rows)


def _exchange(known: Any, charge: UpstreamCharge) -> int | None:
    return resale.exchange(
        charge.currency,
        ours=app_context.settings().currency,
        providers=known.catalogue_currency,
        providers_exchange_nanos=known.exchange_nanos,
    )


def row(charge: UpstreamCharge, *, exchange_nanos: int | None, cost_nanos: int | None, now: datetime) -> dict[str, Any]:
    """The columns of a charge."""
    # A cost that no charge can have is a mistake of the provider, and might not fit into the column.
    is_possible = cost_nanos is not None and cost_nanos <= resale.MAX_CHARGE_NANOS
    return {
        "charge_nanos": charge.nanos,
        "currency": charge.currency,
        "exchange_nanos": exchange_nanos,
        "cost_nanos": cost_nanos if is_possible else None,
        "at": now,
    }


def _check(known: Any, charge: UpstreamCharge, *, cost_nanos: int | None, now: datetime) -> None:
    """Open a review, one a day for each tool, if the provider charged more than its rate or than the customer paid."""
    day = f"{now:%B} {now.day}, {now.year}"
    listed = None
    # The rate is that of the tool as it is now.
    form = form_of(known.order_type, known.quantity_rule, known.own_fields)
    if form.is_package == known.is_package and known.rate_micros is not None:
        listed = known.quantity * pricing.price_of_rate(known.rate_micros, is_package=known.is_package)
    is_of_catalogue = not charge.currency or charge.currency == (known.catalogue_currency or charge.currency)
    if listed is not None and is_of_catalogue and charge.nanos > listed:
        rate = f"{money.plain_price(known.rate_micros)} {'a package' if known.is_package else 'per 1,000'}"
        text = (
            f"On {day}, {known.provider} charged more for “{known.tool}” than its listed rate of {rate}. "
            "Import its catalogue again, or ask it why."
        )
        reviews.open_review(ReviewKind.UPSTREAM_CHARGE, provider_id=known.provider_id, text=text, now=now)
    if cost_nanos is not None and known.charge_nanos is None and cost_nanos > known.price_nanos:
        text = (
            f"On {day}, an order of “{known.tool}” cost more at {known.provider} than the customer paid. "
            "Raise the price, or hide the tool."
        )
        reviews.open_review(ReviewKind.UPSTREAM_CHARGE, provider_id=known.provider_id, text=text, now=now)


def of_order(order: Order) -> CostOfOrder:
    """The cost of this order: what its provider charged, else an estimate by the provider's listed rate."""
    stored = db.session.get(OrderCost, order.id)
    if stored is not None and stored.cost_nanos is not None:
        return CostOfOrder(stored.cost_nanos, stored.charge_nanos, stored.currency, is_estimate=False)
    charge_nanos, currency = (None, "") if stored is None else (stored.charge_nanos, stored.currency)
    known = db.session.execute(_KNOWN, {"ids": [order.id]}).one()
    form = form_of(known.order_type, known.quantity_rule, known.own_fields)
    if known.rate_micros is None or known.exchange_nanos is None or form.is_package != order.is_package:
        return CostOfOrder(None, charge_nanos, currency, is_estimate=False)
    # A running order is charged whole by its provider.
    quantity = order.quantity if Status(order.status).is_open else order.quantity - order.remains
    estimate = at_rate(
        quantity,
        rate_micros=known.rate_micros,
        is_package=order.is_package,
        exchange_nanos=known.exchange_nanos,
    )
    return CostOfOrder(estimate, charge_nanos, currency, is_estimate=True)


def at_rate(quantity: int, *, rate_micros: int, is_package: bool, exchange_nanos: int) -> int:
    """Cost in our currency of this quantity at a provider's rate, in nanos, rounded up."""
    charge_nanos = quantity * pricing.price_of_rate(rate_micros, is_package=is_package)
    return resale.in_ours(charge_nanos, exchange_nanos=exchange_nanos)
