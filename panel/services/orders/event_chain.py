"""Inserts order events, each with its hash: the only way a line gets into a timeline.

An order's events are a hash chain (`domain/chain.py`). Its head is in the order's own row, which the writer holds
anyway: `transitions.lock_orders` reads the head with the lock.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, update

from panel.db import chain_heads, table_of
from panel.db.compiled_statements import CompiledStatement
from panel.domain import chain
from panel.domain.errors import StaleOrder
from panel.models import Order, OrderEvent

ORDERS = table_of(Order)
EVENTS = table_of(OrderEvent)

_INSERT = CompiledStatement(
    lambda: insert(EVENTS).inline(), columns=[column.name for column in EVENTS.c if column.name != "id"]
)
_SET_HEAD = CompiledStatement(
    lambda: update(ORDERS).where(ORDERS.c.id == bindparam("order")).values(chain_hash=bindparam("head"))
)


def start(order_ids: Collection[int]) -> None:
    """Begin the chains of orders that this transaction has just inserted."""
    chain_heads(ORDERS).update(dict.fromkeys(order_ids, chain.START))


def append(events: Sequence[dict[str, Any]]) -> None:
    """Insert events, oldest first for each order, and write the orders' new heads. The orders must be locked."""
    heads = link(events)
    _SET_HEAD.execute([{"order": order_id, "head": head} for order_id, head in sorted(heads.items())])
    write(events, heads=heads)


def link(events: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Give each event its hash. The heads that the caller must write into the orders' rows, by order.

    Raises StaleOrder for an order that this transaction has not locked.
    """
    known, heads = chain_heads(ORDERS), dict[int, str]()
    for event in events:
        order_id = event["order_id"]
        if order_id not in known:
            raise StaleOrder(f"Order {order_id} is not locked. Nothing was changed.")
        event["chain_hash"] = heads[order_id] = chain.event_hash(heads.get(order_id, known[order_id]), event)
    return heads


def write(events: Sequence[dict[str, Any]], *, heads: Mapping[int, str]) -> None:
    """Insert events that `link` has been given, after the orders' rows have got these heads."""
    _INSERT.execute(events)
    chain_heads(ORDERS).update(heads)
