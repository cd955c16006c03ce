"""Customer version, which invalidates the customer's cached pages, and counters of orders by status."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import literal_column, update

from panel.db import table_of, upsert
from panel.db.compiled_statements import CompiledStatement, in_list
from panel.domain.status import Status
from panel.models import OrderCount, User

COUNTS = table_of(OrderCount)
USERS = table_of(User)


def _adding() -> Any:
    add = upsert(COUNTS).inline()
    added = {"orders": COUNTS.c.orders + add.excluded.orders}
    return add.on_conflict_do_update(index_elements=[COUNTS.c.customer_id, COUNTS.c.status], set_=added)


_ADD = CompiledStatement(_adding, columns=["customer_id", "status", "orders"])


def count_orders(changes: Counter[tuple[int, Status]]) -> None:
    """Add to the counters of orders by status."""
    rows = [
        {"customer_id": customer_id, "status": status, "orders": delta}
        for (customer_id, status), delta in sorted(changes.items())
        if delta
    ]
    if rows:
        _ADD.execute(rows)


_BUMP = CompiledStatement(
    lambda: (
        update(USERS)
        .where(in_list(USERS.c.id, "ids"))
        .values(state_version=USERS.c.state_version + literal_column("1"))
    )
)


def bump(user_ids: Iterable[int]) -> None:
    """Invalidate the cached pages of these customers."""
    _BUMP.execute([{"ids": sorted(user_ids)}])
