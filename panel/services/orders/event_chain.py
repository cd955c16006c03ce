"""Order events as a hash chain: the only code that inserts into timelines.

The chain (`domain/chain.py`) has its head in the order's row, which the writer has locked anyway:
`transitions.lock_orders` reads the head together with the lock.
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
    """Start the chains of orders inserted in this transaction."""
    chain_heads(ORDERS).update(dict.fromkeys(order_ids, chain.START))


def append(events: Sequence[dict[str, Any]]) -> None:
    """Append events, oldest first for each order, and update the chain heads. The orders must be locked."""
    heads = link(events)
    _SET_HEAD.execute([{"order": order_id, "head": head} for order_id, head in sorted(heads.items())])
    write(events, heads=heads)


def link(events: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Hash the events. Returns the new heads by order, which the caller must write into the orders' rows.

    Raises StaleOrder for an order that isn't locked by this transaction.
    """
    known, heads = chain_heads(ORDERS), dict[int, str]()
    for event in events:
        order_id = event["order_id"]
        if order_id not in known:
            raise StaleOrder(f"Order {order_id} is not locked. Nothing was changed.")
        event["chain_hash"] = heads[order_id] = chain.event_hash(heads.get(order_id, known[order_id]), event)
    return heads


def write(events: Sequence[dict[str, Any]], *, heads: Mapping[int, str]) -> None:
    """Insert events hashed by `link`, after their orders' rows have the new heads."""
    _INSERT.execute(events)
    chain_heads(ORDERS).update(heads)
