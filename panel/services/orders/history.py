"""Order history: keyset-paginated lists with filters, counts by status, and batches for file export.

Statements are built once for each combination of filters and return tuples. A page costs the same however many orders
come before or after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, literal, or_, select

from panel.db import db, table_of
from panel.db.committed_reads import CommittedRead
from panel.db.compiled_statements import in_list
from panel.domain.lists.order_filters import OrderFilters
from panel.domain.status import Status
from panel.models import Cancellation, Order, OrderCount, Provider, Terms, Tool

PAGE_SIZE = 25
BATCH_SIZE = 1_000
# A part of a link is searched in this many of a customer's newest orders, or in all orders of a period.
SEARCHED_ORDERS = 20_000
# Ids follow the time of placing, except for the difference between the clocks of two machines.
CLOCKS_APART = timedelta(hours=1)

ORDERS = table_of(Order)
COUNTS = table_of(OrderCount)
TOOLS = table_of(Tool)
TERMS = table_of(Terms)
CANCELLATIONS = table_of(Cancellation)
PROVIDERS = table_of(Provider)

_STOP = (
    select(CANCELLATIONS.c.state)
    .where(CANCELLATIONS.c.order_id == ORDERS.c.id)
    .order_by(CANCELLATIONS.c.id.desc())
    .limit(1)
    .scalar_subquery()
    .label("stop")
)
_TAKES_NONE = or_(PROVIDERS.c.paused_at.is_not(None), PROVIDERS.c.add_after.is_not(None))
_IS_PAUSED = select(_TAKES_NONE).where(PROVIDERS.c.id == ORDERS.c.provider_id)
_IS_HELD_BACK = and_(ORDERS.c.dispatch_at.is_not(None), _IS_PAUSED.scalar_subquery()).label("is_held_back")
# Columns that validate a cached row; few, since every page reads them.
_KNOWN = (
    ORDERS.c.id,
    ORDERS.c.version,
    ORDERS.c.status,
    ORDERS.c.unconfirmed_at.is_not(None).label("is_unconfirmed"),
    _STOP,
    _IS_HELD_BACK,
)
# The tool's name when the order was placed. Not a join, which SQLite might start from the terms.
_TOOL_NAME = select(TERMS.c.name).where(TERMS.c.id == ORDERS.c.terms_id).scalar_subquery().label("tool_name")
_SHOWN = (
    *_KNOWN,
    _TOOL_NAME,
    ORDERS.c.tool_id,
    ORDERS.c.provider_id,
    ORDERS.c.link,
    ORDERS.c.quantity,
    ORDERS.c.remains,
    ORDERS.c.charge_nanos,
    ORDERS.c.returned_nanos,
    ORDERS.c.placed_at,
)
_EXPORTED = (
    *_SHOWN,
    ORDERS.c.start_count,
    ORDERS.c.price_micros_per_thousand,
    ORDERS.c.started_at,
    ORDERS.c.ended_at,
)


class KnownRow(NamedTuple):
    """Validators of a cached row of the list."""

    id: int
    version: int
    status: str
    is_unconfirmed: bool
    stop: str | None
    is_held_back: bool | None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A page of the history, newest first, and the cursor of the next page.

    `is_part_searched`: a part of a link was searched in the newest orders alone, and there are older ones.
    """

    rows: Sequence[KnownRow]
    next_after: int | None
    is_part_searched: bool = False


def history_page(customer_id: int, *, filters: OrderFilters) -> HistoryPage:
    """One page of this customer's orders: id, version, status and whether it is unconfirmed."""
    search = _search(customer_id, filters)
    values = _values(customer_id, filters=filters, search=search, most=PAGE_SIZE + 1)
    rows = list(map(KnownRow._make, _known(frozenset(values)).fetch(values)))
    has_more = len(rows) > PAGE_SIZE
    return HistoryPage(rows[:PAGE_SIZE], rows[PAGE_SIZE - 1].id if has_more else None, "newer_than" in search)


@cache
def _known(given: frozenset[str]) -> CommittedRead:
    return CommittedRead(lambda: _history(_KNOWN, given))


class ShownRow(NamedTuple):
    """All displayed columns of an order: those of `KnownRow` come first."""

    id: int
    version: int
    status: str
    is_unconfirmed: bool
    stop: str | None
    is_held_back: bool | None
    tool_name: str
    tool_id: int
    provider_id: int
    link: str
    quantity: int
    remains: int
    charge_nanos: int
    returned_nanos: int
    placed_at: datetime


_IN_FULL = CommittedRead(
    lambda: select(*_SHOWN).where(ORDERS.c.customer_id == bindparam("customer_id"), in_list(ORDERS.c.id, "ids"))
)


def in_full(customer_id: int, *, order_ids: Sequence[int]) -> list[ShownRow]:
    """All displayed columns of these orders of this customer."""
    return list(map(ShownRow._make, _IN_FULL.fetch({"customer_id": customer_id, "ids": list(order_ids)})))


_EXPORTED_IN_FULL = (
    select(*_EXPORTED)
    .where(ORDERS.c.customer_id == bindparam("customer_id"), ORDERS.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(ORDERS.c.id.desc())
)


def written_in_full(customer_id: int, *, order_ids: Sequence[int]) -> Sequence[Row[*tuple[Any, ...]]]:
    """All exported columns of these orders of this customer."""
    return db.session.execute(_EXPORTED_IN_FULL, {"customer_id": customer_id, "ids": order_ids}).all()


def history_batch(customer_id: int, *, filters: OrderFilters) -> Sequence[Row[*tuple[Any, ...]]]:
    """The next batch for a file export, up to a thousand orders; empty at the end."""
    search = {name: value for name, value in _search(customer_id, filters).items() if name != "newer_than"}
    values = _values(customer_id, filters=filters, search=search, most=BATCH_SIZE)
    return db.session.execute(_history(_EXPORTED, frozenset(values)), values).all()


_STATUSES = tuple(Status)
_COUNTS = CommittedRead(
    lambda: select(COUNTS.c.status, COUNTS.c.orders).where(COUNTS.c.customer_id == bindparam("customer_id"))
)


def counts_by_status(customer_id: int) -> dict[Status, int]:
    """Number of this customer's orders by status, from the maintained counters."""
    counted: dict[str, int] = {row[0]: row[1] for row in _COUNTS.fetch({"customer_id": customer_id})}
    # Looked up by the statuses, which are the same texts.
    return {status: counted.get(status, 0) for status in _STATUSES}


# A loose index scan: one index step per tool, also for customers with a million orders.
_MINE = ORDERS.c.customer_id == bindparam("customer_id")
_FIRST = select(func.min(ORDERS.c.tool_id).label("tool_id")).where(_MINE).cte("steps", recursive=True)
_NEXT = select(func.min(ORDERS.c.tool_id)).where(_MINE, ORDERS.c.tool_id > _FIRST.c.tool_id).scalar_subquery()
_STEPS = _FIRST.union_all(select(_NEXT).where(_FIRST.c.tool_id.is_not(None)))
_TOOLS_USED = select(_STEPS.c.tool_id).where(_STEPS.c.tool_id.is_not(None))
_TOOLS_USED_COMMITTED = CommittedRead(lambda: _TOOLS_USED)


def tools_used(customer_id: int) -> list[int]:
    """Ids of the tools this customer has ever ordered."""
    return list(db.session.execute(_TOOLS_USED, {"customer_id": customer_id}).scalars())


def tools_used_committed(customer_id: int) -> list[int]:
    """As `tools_used`, for pages."""
    return [row[0] for row in _TOOLS_USED_COMMITTED.fetch({"customer_id": customer_id})]


_PROVIDERS_USED = (
    select(TOOLS.c.provider_id).distinct().where(TOOLS.c.id.in_(select(_STEPS.c.tool_id).where(_STEPS.c.tool_id > 0)))
)


def providers_used(customer_id: int) -> list[int]:
    """Ids of the providers of the tools this customer has ever ordered."""
    return list(db.session.execute(_PROVIDERS_USED, {"customer_id": customer_id}).scalars())


_IS_MINE = select(ORDERS.c.id).where(ORDERS.c.id == bindparam("order_id"), _MINE)
_OLDEST_SEARCHED = select(ORDERS.c.id).where(_MINE).order_by(ORDERS.c.id.desc()).offset(bindparam("searched")).limit(1)


def _search(customer_id: int, filters: OrderFilters) -> dict[str, object]:
    """How the text is searched: an order's number alone, where it is one of the customer's, else a part of the link."""
    if not filters.search:
        return {}
    by_number = {"customer_id": customer_id, "order_id": filters.order_id}
    if filters.order_id is not None and db.session.execute(_IS_MINE, by_number).first():
        return {"order_id": filters.order_id}
    search: dict[str, object] = {"search": like_pattern(filters.search)}
    if filters.period is None:
        oldest = db.session.scalar(_OLDEST_SEARCHED, {"customer_id": customer_id, "searched": SEARCHED_ORDERS})
        search |= {"newer_than": oldest} if oldest is not None else {}
    return search


def _values(customer_id: int, *, filters: OrderFilters, search: dict[str, object], most: int) -> dict[str, object]:
    """The values of a list's statement; their names say which statement it is."""
    values: dict[str, object] = {"customer_id": customer_id, "most": most, **search}
    if filters.after is not None:
        values["after"] = filters.after
    if filters.status is not None:
        values["status"] = filters.status
    if filters.tool:
        values["tool"] = filters.tool
    if (period := filters.period) is not None:
        values |= {"since": period.since, "until": period.until}
        values |= {"long_before": period.since - CLOCKS_APART, "long_after": period.until + CLOCKS_APART}
    return values


def like_pattern(search: str) -> str:
    """The search text as a LIKE pattern with its wildcards escaped."""
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


@cache
def _history(columns: tuple[Any, ...], given: frozenset[str]) -> Select[Any]:
    """The statement for one combination of filters, with named parameters."""
    statement = select(*columns).where(ORDERS.c.customer_id == bindparam("customer_id"))
    if "after" in given:
        statement = statement.where(ORDERS.c.id < bindparam("after"))
    if "status" in given:
        statement = statement.where(ORDERS.c.status == bindparam("status"))
    if "tool" in given:
        tool_id = select(TOOLS.c.id).where(TOOLS.c.slug == bindparam("tool")).scalar_subquery()
        statement = statement.where(ORDERS.c.tool_id == tool_id)
    if "search" in given:
        statement = statement.where(ORDERS.c.link.ilike(bindparam("search"), escape="\\"))
    if "order_id" in given:
        statement = statement.where(ORDERS.c.id == bindparam("order_id"))
    if "newer_than" in given:
        statement = statement.where(ORDERS.c.id > bindparam("newer_than"))
    if "since" in given:
        statement = statement.where(*_placed_within())
    return statement.order_by(ORDERS.c.id.desc()).limit(bindparam("most"))


def _placed_within() -> tuple[ColumnElement[bool], ...]:
    """Placed within the period. The bounds on the id only limit the index range that is read."""
    mine = ORDERS.alias("mine")
    at, time = mine.c.placed_at, ORDERS.c.placed_at.type
    ids = select(mine.c.id).where(mine.c.customer_id == bindparam("customer_id"))
    before = ids.where(at < bindparam("long_before", type_=time)).order_by(at.desc()).limit(1)
    behind = ids.where(at >= bindparam("long_after", type_=time)).order_by(at).limit(1)
    return (
        ORDERS.c.placed_at >= bindparam("since", type_=time),
        ORDERS.c.placed_at < bindparam("until", type_=time),
        ORDERS.c.id > func.coalesce(before.scalar_subquery(), literal(0)),
        ORDERS.c.id < func.coalesce(behind.scalar_subquery(), literal(2**63 - 1)),
    )
