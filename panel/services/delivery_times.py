"""How long orders took and how they ended, measured from this panel's own orders; None where they are few.

One read of the newest orders serves every figure of every page for a minute.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import func, select

from panel.db import db, timed_cache
from panel.domain import settlement
from panel.domain.refill import RefillState
from panel.domain.status import Status
from panel.models import Order, Refill
from panel.services import test_orders

WINDOW = timedelta(days=30)
NEWEST_ORDERS = 20_000
LEAST_SAMPLE = 20
MAX_AGE = timedelta(minutes=1)
CACHED_AS = "delivery times"

ORDERS, REFILLS = Order.__table__, Refill.__table__


@dataclass(frozen=True)
class Measure:
    """How long orders took: half of them at most the median, 90 of 100 at most `p90_seconds`."""

    median_seconds: int
    p90_seconds: int
    sample: int


@dataclass(frozen=True)
class Share:
    """How many of the orders that ended were delivered in full."""

    completed: int
    ended: int

    @property
    def percent(self) -> int:
        """Whole percent, never rounded up: 100 means every single one."""
        return self.completed * 100 // self.ended


@dataclass(frozen=True)
class Returns:
    """How many orders that ended without delivering all had the unused money back, and how much came back to all."""

    in_full: int
    due: int
    returned_nanos: int


@dataclass(frozen=True)
class _Ended:
    tool_id: int
    provider_id: int
    placed_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    ended_at: datetime
    status: str
    quantity: int
    remains: int
    price_micros_per_thousand: int
    returned_nanos: int

    @property
    def due_nanos(self) -> int:
        """What had to come back, by the rule that ends orders."""
        settled = settlement.settle(
            Status(self.status),
            quantity=self.quantity,
            remains=self.remains,
            price_micros_per_thousand=self.price_micros_per_thousand,
        )
        return settled.returned_nanos


@dataclass(frozen=True)
class _Reading:
    orders: tuple[_Ended, ...]
    # The same by tool: the office and the catalogue ask tool by tool.
    of_tools: dict[int, list[_Ended]]


def time_to_completion(tool_id: int | None = None, *, now: datetime) -> Measure | None:
    """From placing to Completed, over orders ended in the window; None when too few."""
    return _measure(
        (order.completed_at - order.placed_at) // timedelta(seconds=1)
        for order in _ended_orders(tool_id, now=now)
        if order.completed_at is not None
    )


def time_to_start(tool_id: int | None = None, *, provider_id: int | None = None, now: datetime) -> Measure | None:
    """From placing until the count moved, over orders ended in the window; None when too few."""
    return _measure(
        (order.started_at - order.placed_at) // timedelta(seconds=1)
        for order in _ended_orders(tool_id, now=now)
        if order.started_at is not None and provider_id in (None, order.provider_id)
    )


def time_to_end(status: Status, *, now: datetime) -> Measure | None:
    """From placing to the end, over orders of the window that ended in this status; None when too few."""
    return _measure(
        (order.ended_at - order.placed_at) // timedelta(seconds=1)
        for order in _ended_orders(now=now)
        if order.status == status
    )


def time_of_refills(*, now: datetime) -> Measure | None:
    """From asking for a refill until it was completed, over those of the window; None when too few."""
    newest = select(func.max(REFILLS.c.id)).scalar_subquery()
    rows = db.session.execute(
        select(REFILLS.c.asked_at, REFILLS.c.ended_at).where(
            REFILLS.c.id > newest - NEWEST_ORDERS,
            REFILLS.c.state == RefillState.COMPLETED,
            REFILLS.c.ended_at.between(now - WINDOW, now),
        )
    )
    return _measure((ended - asked) // timedelta(seconds=1) for asked, ended in rows)


def share_completed(*, now: datetime) -> Share | None:
    """The orders that were Completed among those that ended in the window; None when they are too few."""
    orders = _ended_orders(now=now)
    if len(orders) < LEAST_SAMPLE:
        return None
    return Share(completed=sum(order.completed_at is not None for order in orders), ended=len(orders))


def returns(*, now: datetime) -> Returns | None:
    """The orders that had unused money back in full, among those of the window that it was due to; None when few."""
    ended = [order for order in _ended_orders(now=now) if Status(order.status).is_final]
    if len(ended) < LEAST_SAMPLE:
        return None
    return Returns(
        in_full=sum(order.returned_nanos >= order.due_nanos for order in ended),
        due=len(ended),
        returned_nanos=sum(order.returned_nanos for order in ended),
    )


def read_at(database: str, *, now: datetime) -> datetime | None:
    """When the orders of this database were read for the figures shown now; None if they will be read again."""
    return timed_cache.cached_at(CACHED_AS, database=database, now=now)


def clear_cache() -> None:
    timed_cache.clear(CACHED_AS)


def completions(tool_id: int | None = None, *, now: datetime) -> list[tuple[datetime, int]]:
    """When each order was Completed, and how many seconds after it was placed; of the orders ended in the window."""
    return [
        (order.completed_at, (order.completed_at - order.placed_at) // timedelta(seconds=1))
        for order in _ended_orders(tool_id, now=now)
        if order.completed_at is not None and order.completed_at >= order.placed_at
    ]


def median_and_p90(ordered: Sequence[int]) -> tuple[int, int]:
    """The smallest values that cover half and nine tenths, so that each is one that really occurred."""
    count = len(ordered)
    return ordered[(count + 1) // 2 - 1], ordered[-(-count * 9 // 10) - 1]


def _measure(durations: Iterable[int]) -> Measure | None:
    # Less than nothing is a clock that was set back meanwhile, and measures nothing.
    seconds = sorted(each for each in durations if each >= 0)
    count = len(seconds)
    if count < LEAST_SAMPLE:
        return None
    median, p90 = median_and_p90(seconds)
    return Measure(median_seconds=median, p90_seconds=p90, sample=count)


def _ended_orders(tool_id: int | None = None, *, now: datetime) -> Sequence[_Ended]:
    reading = timed_cache.cached(CACHED_AS, lambda: _by_tool(_read(now=now)), max_age=MAX_AGE, now=now)
    return reading.orders if tool_id is None else reading.of_tools.get(tool_id, ())


def _by_tool(orders: tuple[_Ended, ...]) -> _Reading:
    of_tools: dict[int, list[_Ended]] = {}
    for order in orders:
        of_tools.setdefault(order.tool_id, []).append(order)
    return _Reading(orders, of_tools)


def _read(*, now: datetime) -> tuple[_Ended, ...]:
    newest = select(func.max(ORDERS.c.id)).scalar_subquery()
    rows = db.session.execute(
        select(*(ORDERS.c[column.name] for column in fields(_Ended))).where(
            ORDERS.c.id > newest - NEWEST_ORDERS,
            ORDERS.c.ended_at.between(now - WINDOW, now),
            ORDERS.c.tool_id.is_distinct_from(test_orders.tool_id()),
        )
    )
    return tuple(_Ended(*row) for row in rows)
