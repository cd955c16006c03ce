"""The rows of a new order: the order itself, and the first event of its timeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from panel.db import table_of
from panel.db.compiled_statements import CompiledStatement
from panel.domain import chain
from panel.domain.status import FIRST
from panel.models import EventKind, EventSource, Order
from panel.services.orders import event_chain

_ORDERS = table_of(Order)
_INSERT = CompiledStatement(
    lambda: insert(_ORDERS).returning(_ORDERS.c.id),
    columns=(
        *("customer_id", "tool_id", "terms_id", "link", "quantity", "is_package", "price_micros_per_thousand"),
        *("charge_nanos", "request_id", "placed_at", "status", "remains", "kept_nanos", "returned_nanos", "reason"),
        *("version", "provider_id", "provider_service", "dispatch_at", "chain_hash"),
    ),
)


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order that was placed, now or by an earlier request of the same id."""

    id: int
    customer_id: int
    tool_id: int
    link: str
    quantity: int
    charge_nanos: int
    status: str
    placed_at: datetime


def insert_order(values: Mapping[str, Any], *, now: datetime) -> PlacedOrder:
    """Insert an order that is placed now. `values`: all that isn't the same for each new order."""
    first = {
        "placed_at": now,
        "status": FIRST,
        "remains": values["quantity"],
        "kept_nanos": 0,
        "returned_nanos": 0,
        "reason": "",
        "version": 1,
        "chain_hash": chain.START,
    }
    order_id: int = _INSERT.fetch({**values, **first})[0][0]
    customer_id, tool_id, link = values["customer_id"], values["tool_id"], values["link"]
    return PlacedOrder(order_id, customer_id, tool_id, link, values["quantity"], values["charge_nanos"], FIRST, now)


def write_placed_event(order: PlacedOrder) -> None:
    """Begin the order's timeline."""
    event_chain.start([order.id])
    event_chain.append(
        [
            {
                "order_id": order.id,
                "kind": EventKind.PLACED,
                "source": EventSource.YOU,
                "old_status": None,
                "status": order.status,
                "remains": order.quantity,
                "start_count": None,
                "kept_nanos": 0,
                "returned_nanos": 0,
                "version": 1,
                "text": "Order placed and charged.",
                "raw": "",
                "at": order.placed_at,
            }
        ]
    )


def placed_earlier(order: Order) -> PlacedOrder:
    return PlacedOrder(
        order.id,
        order.customer_id,
        order.tool_id,
        order.link,
        order.quantity,
        order.charge_nanos,
        order.status,
        order.placed_at,
    )
