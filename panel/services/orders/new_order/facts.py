"""All that placing an order depends on, in one read: tool, price, an earlier order of the request, what forbids it.

It is read after the customer's account is locked, so that two requests with one idempotency key see each other.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, literal_column, select

from panel.db import table_of
from panel.db.compiled_statements import CompiledStatement
from panel.models import Account, Maintenance, Order, Provider, Terms, Tool
from panel.services import maintenance, webhooks
from panel.services.catalogue import customer_prices, tools
from panel.services.catalogue.customer_prices import PriceList
from panel.services.catalogue.tools import ToolOffer
from panel.services.maintenance import ClosedOrdering
from panel.services.payments import reversals

_ACCOUNTS, _ORDERS, _MAINTENANCE = table_of(Account), table_of(Order), table_of(Maintenance)
_TOOLS, _TERMS, _PROVIDERS = table_of(Tool), table_of(Terms), table_of(Provider)


@dataclass(frozen=True, slots=True)
class PlacingFacts:
    """Facts for one request to place an order.

    `earlier_id`: the order placed with the request's id. `found`: the tool at its list price, also a hidden one.
    """

    earlier_id: int | None
    may_not_order: bool
    watches_balance: bool
    prices: PriceList
    closed: ClosedOrdering | None
    found: ToolOffer | None


def _statement() -> Any:
    customer = bindparam("customer_id", type_=_ACCOUNTS.c.user_id.type)
    earlier = select(_ORDERS.c.id).where(
        _ORDERS.c.customer_id == customer, _ORDERS.c.request_id == bindparam("request_id")
    )
    read = (
        select(
            earlier.scalar_subquery(),
            reversals.holds_orders(customer),
            webhooks.watches_balance(customer),
            *customer_prices.COLUMNS,
            *maintenance.COLUMNS,
            *tools.OFFER_COLUMNS,
        )
        .select_from(_ACCOUNTS)
        .outerjoin(_TOOLS, _TOOLS.c.slug == bindparam("slug"))
        .outerjoin(_TERMS, _TERMS.c.id == _TOOLS.c.terms_id)
        .outerjoin(_PROVIDERS, _PROVIDERS.c.id == _TOOLS.c.provider_id)
        .outerjoin(_MAINTENANCE, _MAINTENANCE.c.id == literal_column("1"))
        .where(_ACCOUNTS.c.user_id == customer)
    )
    return customer_prices.joined(read, tool_id=_TOOLS.c.id)


_READ = CompiledStatement(_statement)
_PRICES = 3 + len(customer_prices.COLUMNS)
_CLOSED = _PRICES + len(maintenance.COLUMNS)


def read(customer_id: int, *, slug: str, request_id: str, now: datetime) -> PlacingFacts:
    """The facts about this customer, who has an account, and this tool. The account must be locked."""
    (row,) = _READ.fetch({"customer_id": customer_id, "slug": slug, "request_id": request_id})
    earlier_id, may_not_order, watches_balance = row[:3]
    offer = row[_CLOSED:]
    return PlacingFacts(
        earlier_id,
        may_not_order,
        watches_balance,
        customer_prices.of_row(row[3:_PRICES], tool_id=offer[0]),
        maintenance.in_force(row[_PRICES:_CLOSED], now=now),
        None if offer[0] is None else tools.to_offer(offer),
    )
