"""What a customer's open pages go by: the version that says "something changed", and the counts beside the views."""

from collections import Counter
from collections.abc import Iterable
from functools import cache

from sqlalchemy import Insert, bindparam, update

from panel.db import db, table_of, upsert
from panel.domain.status import Status
from panel.models import OrderCount, User

COUNTS = table_of(OrderCount)
USERS = table_of(User)


@cache
def _adding(_engine: str) -> Insert:
    """The statement that adds to counts, made once: building it costs as much as running it."""
    add = upsert(COUNTS)
    added = {"orders": COUNTS.c.orders + add.excluded.orders}
    adding: Insert = add.on_conflict_do_update(index_elements=[COUNTS.c.customer_id, COUNTS.c.status], set_=added)
    return adding


def count_orders(changes: Counter[tuple[int, Status]]) -> None:
    """Add to the counts that the history shows beside its views."""
    rows = [
        {"customer_id": customer_id, "status": status, "orders": delta}
        for (customer_id, status), delta in sorted(changes.items())
        if delta
    ]
    if rows:
        db.session.execute(_adding(db.engine.dialect.name), rows)


_BUMP = (
    update(USERS)
    .where(USERS.c.id.in_(bindparam("ids", expanding=True)))
    .values(state_version=USERS.c.state_version + 1)
)


def bump_customers(user_ids: Iterable[int]) -> None:
    """Tell open pages of these customers that something they show has changed."""
    db.session.execute(_BUMP, {"ids": sorted(user_ids)})
