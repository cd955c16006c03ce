"""Order costs: what providers charged, from their `status` answers, with reviews of charges that look wrong."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, case, select

from panel import app_context
from panel.db import db, table_of, upsert
from panel.domain import money, pricing, resale
from panel.domain.forms.own_fields import form_of
from panel.domain.resale import UpstreamCharge
from panel.domain.review_kind import ReviewKind
from panel.models import Order, OrderCost, Provider, Terms, Tool, ToolRoute
from panel.services import reviews

COSTS = table_of(OrderCost)

_IS_OWN = and_(Tool.provider_id == Order.provider_id, Tool.provider_service == Order.provider_service)
_IS_ROUTE = and_(
    ToolRoute.tool_id == Order.tool_id,
    ToolRoute.provider_id == Order.provider_id,
    ToolRoute.service == Order.provider_service,
)
# The rate where the order is, as it is now.
_RATE = case((_IS_OWN, Tool.provider_rate_micros), else_=ToolRoute.rate_micros)

_KNOWN = (
    select(
        Order.id,
        Order.quantity,
        Order.is_package,
        Order.charge_nanos.label("price_nanos"),
        Order.provider_id,
        Tool.name.label("tool"),
        _RATE.label("rate_micros"),
        Terms.order_type,
        Terms.quantity_rule,
        Terms.own_fields,
        Provider.name.label("provider"),
        Provider.catalogue_currency,
        Provider.exchange_nanos,
        OrderCost.charge_nanos,
        OrderCost.currency,
    )
    .join(Tool, Tool.id == Order.tool_id)
    .join(Terms, Terms.id == Tool.terms_id)
    .join(Provider, Provider.id == Order.provider_id)
    .join(OrderCost, OrderCost.order_id == Order.id, isouter=True)
    .join(ToolRoute, _IS_ROUTE, isouter=True)
    .where(Order.id.in_(bindparam("ids", expanding=True)))
)


def record(charges: Mapping[int, UpstreamCharge], *, now: datetime) -> None:
    """Record these charges by order id; one that is known already writes nothing. The orders must be locked."""
    if not charges:
        return
    rows = []
    for known in db.session.execute(_KNOWN, {"ids": list(charges)}):
        charge = charges[known.id]
        if (known.charge_nanos, known.currency) == (charge.nanos, charge.currency):
            continue
        exchange_nanos = _exchange(known, charge)
        cost = None if exchange_nanos is None else resale.in_ours(charge.nanos, exchange_nanos=exchange_nanos)
        rows.append(_row(charge, known.id, exchange_nanos=exchange_nanos, cost_nanos=cost, now=now))
        _check(known, charge, cost_nanos=cost, now=now)
    if rows:
        add = upsert(COSTS)
        changed = {name: add.excluded[name] for name in rows[0] if name != "order_id"}
        db.session.execute(add.on_conflict_do_update(index_elements=["order_id"], set_=changed), rows)


def _exchange(known: Any, charge: UpstreamCharge) -> int | None:
    return resale.exchange(
        charge.currency,
        ours=app_context.settings().currency,
        providers=known.catalogue_currency,
        providers_exchange_nanos=known.exchange_nanos,
    )


def _row(
    charge: UpstreamCharge, order_id: int, *, exchange_nanos: int | None, cost_nanos: int | None, now: datetime
) -> dict[str, Any]:
    # A cost that no charge can have is a mistake of the provider, and might not fit into the column.
    is_possible = cost_nanos is not None and cost_nanos <= resale.MAX_CHARGE_NANOS
    return {
        "order_id": order_id,
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


def at_rate(quantity: int, *, rate_micros: int, is_package: bool, exchange_nanos: int) -> int:
    """Cost in our currency of this quantity at a provider's rate, in nanos, rounded up."""
    charge_nanos = quantity * pricing.price_of_rate(rate_micros, is_package=is_package)
    return resale.in_ours(charge_nanos, exchange_nanos=exchange_nanos)
