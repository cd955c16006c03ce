"""The office's table of orders: all customers' orders with filters and search, 40 a page, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select

from panel.db import db, table_of
from panel.db.id_search import ids_within, newest_id
from panel.domain.accounts import email_address
from panel.domain.lists.office_order_filters import OfficeOrderFilters
from panel.domain.status import Status
from panel.models import IS_NOT_COMPLETED, Order, OrderRun, Provider, Terms, Tool, User
from panel.services import test_orders
from panel.services.accounts import people_search
from panel.services.office import assignments, queues
from panel.services.office.assignments import Held
from panel.services.office.queue_counts import LatenessLimits
from panel.services.orders.history import like_pattern

PAGE_SIZE = 40
# As choices of the filter. With more of them the page would be larger than all its orders.
MOST_TOOLS = 100
# A part of a link is searched in this many of the newest orders, or in all orders of a period.
SEARCHED_ORDERS = 100_000
MAX_PEOPLE = 100
ORDERS, USERS, TERMS, TOOLS, PROVIDERS = (table_of(model) for model in (Order, User, Terms, Tool, Provider))


@dataclass(frozen=True, slots=True)
class OrderTableRow:
    """A row of the table."""

    id: int
    version: int
    status: Status
    email: str
    customer_id: int
    tool: str
    link: str
    quantity: int
    remains: int
    charge_nanos: int
    returned_nanos: int
    provider: str
    provider_order_id: str
    is_unconfirmed: bool
    placed_at: datetime
    held: Held | None

    @property
    def delivered(self) -> int:
        return self.quantity - self.remains


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders, newest first, and the cursor of the next page.

    `is_part_searched`: a part of a link was searched in the newest orders alone, and there are older ones.
    """

    lines: tuple[OrderTableRow, ...]
    next_after: int | None
    is_part_searched: bool
    # A part inside an email was searched in the newest accounts alone.
    is_part_of_people: bool = False


_COLUMNS = (
    ORDERS.c.id,
    ORDERS.c.version,
    ORDERS.c.status,
    USERS.c.email,
    ORDERS.c.customer_id,
    TERMS.c.name.label("tool"),
    ORDERS.c.link,
    ORDERS.c.quantity,
    ORDERS.c.remains,
    ORDERS.c.charge_nanos,
    ORDERS.c.returned_nanos,
    PROVIDERS.c.name.label("provider"),
    ORDERS.c.provider_order_id,
    ORDERS.c.unconfirmed_at,
    ORDERS.c.placed_at,
)
_JOINED = (
    select(*_COLUMNS)
    .join_from(ORDERS, USERS, USERS.c.id == ORDERS.c.customer_id)
    .join(TOOLS, TOOLS.c.id == ORDERS.c.tool_id)
    .join(TERMS, TERMS.c.id == ORDERS.c.terms_id)
    .join(PROVIDERS, PROVIDERS.c.id == ORDERS.c.provider_id)
)


def page(wanted: OfficeOrderFilters, limits: LatenessLimits, *, now: datetime, size: int | None = None) -> OrderPage:
    """One page of matching orders, of PAGE_SIZE unless `size` says otherwise."""
    size = size or PAGE_SIZE
    search, is_part_searched = _search(wanted)
    found = _JOINED.where(*_conditions(wanted, limits, now=now), *search)
    rows = db.session.execute(found.order_by(ORDERS.c.id.desc()).limit(size + 1)).all()
    shown = _lines(rows[:size], now=now)
    is_part_of_people = bool(wanted.filters.search and wanted.email) and people_search.is_part_searched()
    return OrderPage(shown, shown[-1].id if len(rows) > size else None, is_part_searched, is_part_of_people)


def of_ids(order_ids: Sequence[int], *, now: datetime) -> dict[int, OrderTableRow]:
    """Rows of these orders by id; unknown ids are left out."""
    rows = db.session.execute(_JOINED.where(ORDERS.c.id.in_(order_ids))).all()
    return {line.id: line for line in _lines(rows, now=now)}


def _lines(rows: Sequence[Any], *, now: datetime) -> tuple[OrderTableRow, ...]:
    held = assignments.assignments_of([row.id for row in rows], now=now)
    return tuple(_line(row, held.get(row.id)) for row in rows)


def _line(row: Any, held: Held | None) -> OrderTableRow:
    given = dict(row._mapping)
    given["status"] = Status(given["status"])
    given["provider_order_id"] = given["provider_order_id"] or ""
    given["is_unconfirmed"] = given.pop("unconfirmed_at") is not None
    return OrderTableRow(**given, held=held)


def _conditions(wanted: OfficeOrderFilters, limits: LatenessLimits, *, now: datetime) -> list[ColumnElement[bool]]:
    filters = wanted.filters
    narrow: list[ColumnElement[bool]] = []
    if filters.after is not None:
        narrow.append(ORDERS.c.id < filters.after)
    if filters.status is not None:
        narrow.append(ORDERS.c.status == filters.status)
        if filters.status is not Status.COMPLETED:
            narrow.append(IS_NOT_COMPLETED)
    if filters.tool:
        narrow.append(TOOLS.c.slug == filters.tool)
    if wanted.provider is not None:
        narrow.append(ORDERS.c.provider_id == wanted.provider)
    if wanted.customer:
        people = select(USERS.c.id).where(USERS.c.email.in_(email_address.spellings(wanted.customer)))
        narrow.append(_is_of(db.session.scalars(people).all()))
    if (period := filters.period) is not None:
        ids = ids_within(ORDERS.c.placed_at, period.since, period.until, most=SEARCHED_ORDERS)
        narrow += [ORDERS.c.placed_at >= period.since, ORDERS.c.placed_at < period.until]
        if filters.search or not ids.is_part:
            narrow.append(ORDERS.c.id.between(ids.first, ids.last))
    queue = queues.orders_in(wanted.queue, limits, now=now)
    if queue is not None:
        narrow.append(ORDERS.c.id.in_(select(queue.c.id)))
    if queue is None and not (wanted.customer or filters.search or filters.tool or wanted.provider is not None):
        # Test orders are shown where they are asked for.
        narrow.append(test_orders.is_real(ORDERS.c.customer_id))
    return narrow


def _search(wanted: OfficeOrderFilters) -> tuple[list[ColumnElement[bool]], bool]:
    """Condition for what the search names, the first that is found: a number, a customer, or a part of a link.

    A number is an order's, or its number at a provider. Also returns whether only the newest orders were searched.
    """
    search = wanted.filters.search
    if not search:
        return [], False
    if numbers := _numbered(wanted):
        return [ORDERS.c.id.in_(numbers)], False
    if wanted.email and (people := _people(wanted.email)):
        return [_is_of(people)], False
    found: list[ColumnElement[bool]] = [ORDERS.c.link.ilike(like_pattern(search), escape="\\")]
    if (period := wanted.filters.period) is not None:
        ids = ids_within(ORDERS.c.placed_at, period.since, period.until, most=SEARCHED_ORDERS)
        return found, ids.is_part
    oldest = newest_id(ORDERS) - SEARCHED_ORDERS
    return ([*found, ORDERS.c.id > oldest], True) if oldest > 0 else (found, False)


def _is_of(people: Sequence[int]) -> ColumnElement[bool]:
    """That the order is theirs. Of one person, the index has the orders sorted; of several, all are read and sorted."""
    return ORDERS.c.customer_id == people[0] if len(people) == 1 else ORDERS.c.customer_id.in_(people)


def _numbered(wanted: OfficeOrderFilters) -> list[int]:
    """The order with this id, and those with this id at their provider."""
    at_provider = select(ORDERS.c.id).where(
        ORDERS.c.provider_id.in_(select(PROVIDERS.c.id)),
        ORDERS.c.provider_order_id.is_not(None),
        ORDERS.c.provider_order_id == wanted.filters.search,
    )
    of_run = select(OrderRun.order_id).where(
        OrderRun.provider_id.in_(select(PROVIDERS.c.id)), OrderRun.provider_order_id == wanted.filters.search
    )
    found = [*db.session.scalars(at_provider), *db.session.scalars(of_run)]
    if wanted.filters.order_id is not None:
        found += db.session.scalars(select(ORDERS.c.id).where(ORDERS.c.id == wanted.filters.order_id))
    return found


def _people(email: str) -> list[int]:
    """Customers with this text in their email, only the newest if there are very many."""
    found = select(USERS.c.id).where(USERS.c.id.in_(people_search.ids_of(email)))
    return list(db.session.scalars(found.order_by(USERS.c.id.desc()).limit(MAX_PEOPLE)))


def tools() -> list[tuple[str, str]] | None:
    """Slug and name of every tool, sorted by name; None if there are too many to choose from a list."""
    found = select(TOOLS.c.slug, TOOLS.c.name).order_by(TOOLS.c.name).limit(MOST_TOOLS + 1)
    rows = [(slug, name) for slug, name in db.session.execute(found)]
    return rows if len(rows) <= MOST_TOOLS else None


def providers() -> list[tuple[str, str]]:
    """Id and name of every provider, sorted by name."""
    rows = db.session.execute(select(PROVIDERS.c.id, PROVIDERS.c.name).order_by(PROVIDERS.c.name))
    return [(str(provider_id), name) for provider_id, name in rows]
