"""Customer's price list: the list prices, or those of the customer's price group.

The one place that decides what a customer pays. Pages, the API and placing ask it; `tools` alone knows list prices.
A change of a group bumps the catalogue's version, and a customer's change of group the customer's.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, select

from panel.db import db, table_of
from panel.db.compiled_statements import CompiledStatement
from panel.domain import pricing
from panel.models import ApiTestCustomer, GroupMember, GroupPrice, PriceGroup
from panel.services.catalogue.tools import ToolOffer

_MEMBERS, _GROUPS, _PRICES = table_of(GroupMember), table_of(PriceGroup), table_of(GroupPrice)
_TEST_CUSTOMERS = table_of(ApiTestCustomer)


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices for the customers of a group. `fixed`: price and whether it is of a package, by tool.

    `group_id`: None for list prices.
    """

    group_id: int | None = None
    basis_points: int = 0
    fixed: Mapping[int, tuple[int, bool]] = field(default_factory=dict)

    def price(self, tool_id: int, list_price: int, *, is_package: bool) -> int:
        """The price per thousand of a tool with this list price."""
        fixed = self.fixed.get(tool_id)
        if fixed is not None and fixed[1] == is_package:
            return fixed[0]
        return pricing.discounted(list_price, basis_points=self.basis_points, is_package=is_package)

    def of(self, offer: ToolOffer) -> ToolOffer:
        """The offer at the customer's price."""
        price = self.price(offer.tool_id, offer.price_micros_per_thousand, is_package=offer.is_package)
        is_same = price == offer.price_micros_per_thousand
        return offer if is_same else replace(offer, price_micros_per_thousand=price)

    def of_all(self, offers: Iterable[ToolOffer]) -> list[ToolOffer]:
        return [self.of(offer) for offer in offers]


LIST_PRICES = PriceList()


def as_json(prices: PriceList) -> str:
    """The price list as text, to be read by `from_json`."""
    return json.dumps([prices.basis_points, [[tool_id, *price] for tool_id, price in prices.fixed.items()]])


def from_json(text: str) -> PriceList:
    """The price list that was written; its group may be gone."""
    basis_points, fixed = json.loads(text)
    return PriceList(None, basis_points, {tool_id: (price, is_package) for tool_id, price, is_package in fixed})


_OWNER = select(_TEST_CUSTOMERS.c.owner_id).where(_TEST_CUSTOMERS.c.user_id == bindparam("customer_id"))
_IS_MEMBER = _MEMBERS.c.user_id == func.coalesce(_OWNER.scalar_subquery(), bindparam("customer_id"))
_GROUP_OF_CUSTOMER = select(_MEMBERS.c.group_id).where(_IS_MEMBER)
# What `joined` adds to a statement: the customer's group and its price of one tool.
COLUMNS = (
    _GROUPS.c.id,
    _GROUPS.c.discount_basis_points,
    _PRICES.c.price_micros_per_thousand,
    _PRICES.c.is_package,
)


_OF_GROUP = CompiledStatement(
    lambda: (
        select(
            _GROUPS.c.discount_basis_points,
            _PRICES.c.tool_id,
            _PRICES.c.price_micros_per_thousand,
            _PRICES.c.is_package,
        )
        .join_from(_GROUPS, _PRICES, _PRICES.c.group_id == _GROUPS.c.id, isouter=True)
        .where(_GROUPS.c.id == bindparam("group_id"))
    )
)


def of_customer(customer_id: int | None) -> PriceList:
    """The price list of this customer; list prices for a visitor. Test orders have the prices of their owner."""
    if customer_id is None:
        return LIST_PRICES
    return of_group(db.session.scalar(_GROUP_OF_CUSTOMER, {"customer_id": customer_id}))


def joined(statement: Any, *, tool_id: ColumnElement[int]) -> Any:
    """The statement, which has a parameter `customer_id`, joined to what COLUMNS shows of this tool."""
    return (
        statement.outerjoin(_MEMBERS, _IS_MEMBER)
        .outerjoin(_GROUPS, _GROUPS.c.id == _MEMBERS.c.group_id)
        .outerjoin(_PRICES, and_(_PRICES.c.group_id == _GROUPS.c.id, _PRICES.c.tool_id == tool_id))
    )


def of_row(row: Sequence[Any], *, tool_id: int) -> PriceList:
    """The price list in a row of COLUMNS, good for this tool alone."""
    group_id, basis_points, price, is_package = row
    if group_id is None:
        return LIST_PRICES
    return PriceList(group_id, basis_points, {} if price is None else {tool_id: (price, is_package)})


def of_group(group_id: int | None) -> PriceList:
    """The price list of this group; list prices without one."""
    if group_id is None:
        return LIST_PRICES
    rows = _OF_GROUP.fetch({"group_id": group_id})
    prices = {tool_id: (price, is_package) for _points, tool_id, price, is_package in rows if tool_id is not None}
    return PriceList(group_id, rows[0][0] if rows else 0, prices)


def groups_of_customers() -> dict[int, int]:
    """The group of each customer who has one."""
    rows = db.session.execute(select(_MEMBERS.c.user_id, _MEMBERS.c.group_id))
    return {row[0]: row[1] for row in rows}
