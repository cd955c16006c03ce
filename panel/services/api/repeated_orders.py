"""Orders that may be one request sent twice: the same again within a minute, without a request id.

A compiled statement that returns plain tuples, since each such `add` runs it.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, bindparam, literal_column, or_, select

from panel.db import table_of
from panel.db.compiled_statements import CompiledStatement
from panel.domain.request_id import API_NAMED, API_UNNAMED
from panel.models import Order, OrderField
from panel.services.orders import order_fields
from panel.services.orders.new_order.rows import PlacedOrder

ORDERS = table_of(Order)
FIELDS = table_of(OrderField)

# Two identical orders without a request id within this time may be one request sent twice.
LIKELY_TWICE = timedelta(seconds=60)
# Orders of that time whose fields are compared.
MAX_ALIKE = 20


def _alike() -> Select[int, bool]:
    """Orders of the last minute placed with the same key, link and quantity, newest first, and whether with fields.

    The sums keep SQLite from reading all orders of the tool, newest first, where there is no such order.
    """
    request_id, number = ORDERS.c.request_id, ORDERS.c.id + literal_column("0")
    by_this_key = or_(
        request_id.like(bindparam("by_this_key", type_=ORDERS.c.request_id.type), escape="/"),
        request_id.startswith(API_NAMED, autoescape=True),
    )
    same = (ORDERS.c.link == bindparam("link"), ORDERS.c.quantity == bindparam("quantity"))
    return (
        select(ORDERS.c.id, select(FIELDS.c.id).where(FIELDS.c.order_id == ORDERS.c.id).exists())
        .where(
            ORDERS.c.customer_id == bindparam("customer_id"),
            ORDERS.c.placed_at > bindparam("since"),
            *same,
            by_this_key,
        )
        .where(ORDERS.c.tool_id + literal_column("0") == bindparam("tool_id"), number < bindparam("order_id"))
        .order_by(number.desc())
        .limit(literal_column(str(MAX_ALIKE)))
    )


ALIKE = _alike()
_READ = CompiledStatement(lambda: ALIKE)


def newest(order: PlacedOrder, *, key_id: int, has_fields: bool) -> int | None:
    """The newest order of the last minute placed with the same key, parameters and fields."""
    found = _READ.fetch(values_of(order, key_id=key_id))
    if not (has_fields or any(row[1] for row in found)):
        return found[0][0] if found else None
    fields = order_fields.of_orders([order.id, *(row[0] for row in found)]) if found else {}
    return next((row[0] for row in found if fields.get(row[0]) == fields.get(order.id)), None)


def values_of(order: PlacedOrder, *, key_id: int) -> dict[str, Any]:
    return {
        "customer_id": order.customer_id,
        "since": order.placed_at - LIKELY_TWICE,
        "link": order.link,
        "quantity": order.quantity,
        "by_this_key": f"{API_UNNAMED}{key_id}:%",
        "tool_id": order.tool_id,
        "order_id": order.id,
    }
