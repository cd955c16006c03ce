"""Delivery times and outcomes, measured from this panel's own orders; None below a minimum sample.

The newest orders are read once a minute for all figures of all pages.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import func, select

from panel.db import db, timed_cache
from panel.domain import settlement
from panel.domain.refill import RefillState
from panel.domain.status import Status
from panel.models import Order, OrderRun, Refill
from panel.services import test_orders

WINDOW = timedelta(days=30)
NEWEST_ORDERS = 20_000
MIN_SAMPLE = 20
MAX_AGE = timedelta(minutes=1)
CACHED_AS = "delivery times"

ORDERS, REFILLS = Order.__table__, Refill.__table__


@dataclass(frozen=True)
class Measure:
    """Median and 90th percentile of a duration."""

    median_seconds: int
    p90_seconds: int
    sample: int


@dataclass(frozen=True)
class Share:
    """How many of the ended orders were Completed."""

    completed: int
    ended: int

    @property
    def percent(self) -> int:
        """Whole percent, rounded down: 100 means all of them."""
        return self.completed * 100 // self.ended


@dataclass(frozen=True)
class Returns:
    """How many orders that ended undelivered or in part were refunded in full, and the sum of all refunds."""

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
        """The refund due under the settlement rules."""
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
    # The same by tool, since the office and the catalogue ask for each tool.
    of_tools: dict[int, list[_Ended]]
    p90_to_start: dict[int, int]


def time_to_completion(tool_id: int | None = None, *, now: datetime) -> Measure | None:
    """From placing to Completed, over orders ended in the window; None if there are too few."""
    return measure(
        (order.completed_at - order.placed_at) // timedelta(seconds=1)
        for order in _ended_orders(tool_id, now=now)
        if order.completed_at is not None
    )


def time_to_start(tool_id: int | None = None, *, provider_id: int | None = None, now: datetime) -> Measure | None:
    """From placing to the first delivery, over orders ended in the window; None if there are too few."""
    ended = _ended_orders(tool_id, now=now)
    return _time_to_start(order for order in ended if provider_id in (None, order.provider_id))


def _time_to_start(orders: Iterable[_Ended]) -> Measure | None:
    return measure(
        (order.started_at - order.placed_at) // timedelta(seconds=1) for order in orders if order.started_at is not None
    )


def p90_to_start(*, now: datetime) -> Mapping[int, int]:
    """90th percentile of the time to start, in seconds, of each tool with enough orders in the window."""
    return _reading(now=now).p90_to_start


def time_to_end(status: Status, *, now: datetime) -> Measure | None:
    """From placing to the end, over orders that ended with this status in the window; None if there are too few."""
    return measure(
        (order.ended_at - order.placed_at) // timedelta(seconds=1)
        for order in _ended_orders(now=now)
        if order.status == status
    )


def time_of_refills(*, now: datetime) -> Measure | None:
    """From requesting a refill to its completion, over refills in the window; None if there are too few."""
    newest = select(func.max(REFILLS.c.id)).scalar_subquery()
    rows = db.session.execute(
        select(REFILLS.c.asked_at, REFILLS.c.ended_at).where(
            REFILLS.c.id > newest - NEWEST_ORDERS,
            REFILLS.c.state == RefillState.COMPLETED,
            REFILLS.c.ended_at.between(now - WINDOW, now),
        )
    )
    return measure((ended - asked) // timedelta(seconds=1) for asked, ended in rows)


def share_completed(*, now: datetime) -> Share | None:
    """Share of Completed orders among those that ended in the window; None if there are too few."""
    orders = _ended_orders(now=now)
    if len(orders) < MIN_SAMPLE:
        return None
    return Share(completed=sum(order.completed_at is not None for order in orders), ended=len(orders))


def returns(*, now: datetime) -> Returns | None:
    """Share of full refunds among the orders in the window with a refund due; None if there are too few."""
    ended = [order for order in _ended_orders(now=now) if Status(order.status).is_final]
    if len(ended) < MIN_SAMPLE:
        return None
    return Returns(
        in_full=sum(order.returned_nanos >= order.due_nanos for order in ended),
        due=len(ended),
        returned_nanos=sum(order.returned_nanos for order in ended),
    )


def read_at(database: str, *, now: datetime) -> datetime | None:
    """When the orders behind the current figures were read; None if the cache is empty or has expired."""
    return timed_cache.cached_at(CACHED_AS, database=database, now=now)


def clear_cache() -> None:
    timed_cache.clear(CACHED_AS)


def completions(tool_id: int | None = None, *, now: datetime) -> list[tuple[datetime, int]]:
    """Time of completion and seconds since placing, of each order Completed and ended in the window."""
    return [
        (order.completed_at, (order.completed_at - order.placed_at) // timedelta(seconds=1))
        for order in _ended_orders(tool_id, now=now)
        if order.completed_at is not None and order.completed_at >= order.placed_at
    ]


def median_and_p90(ordered: Sequence[int]) -> tuple[int, int]:
    """Median and 90th percentile by nearest rank, so that each is a value that really occurred."""
    count = len(ordered)
    return ordered[(count + 1) // 2 - 1], ordered[-(-count * 9 // 10) - 1]


def measure(durations: Iterable[int]) -> Measure | None:
    """Median and 90th percentile of these seconds; None if there are too few."""
    # A negative duration means the clock was set back in between.
    seconds = sorted(each for each in durations if each >= 0)
    count = len(seconds)
    if count < MIN_SAMPLE:
        return None
    median, p90 = median_and_p90(seconds)
    return Measure(median_seconds=median, p90_seconds=p90, sample=count)


def _ended_orders(tool_id: int | None = None, *, now: datetime) -> Sequence[_Ended]:
    reading = _reading(now=now)
    return reading.orders if tool_id is None else reading.of_tools.get(tool_id, ())


def _reading(*, now: datetime) -> _Reading:
    return timed_cache.cached(CACHED_AS, lambda: _by_tool(_read(now=now)), max_age=MAX_AGE, now=now)


def _by_tool(orders: tuple[_Ended, ...]) -> _Reading:
    of_tools: dict[int, list[_Ended]] = {}
    for order in orders:
        of_tools.setdefault(order.tool_id, []).append(order)
    measured = {tool_id: _time_to_start(ended) for tool_id, ended in of_tools.items()}
    starts = {tool_id: found.p90_seconds for tool_id, found in measured.items() if found is not None}
    return _Reading(orders, of_tools, starts)


def _read(*, now: datetime) -> tuple[_Ended, ...]:
    newest = select(func.max(ORDERS.c.id)).scalar_subquery()
    rows = db.session.execute(
        select(*(ORDERS.c[column.name] for column in fields(_Ended))).where(
            ORDERS.c.id > newest - NEWEST_ORDERS,
            ORDERS.c.ended_at.between(now - WINDOW, now),
            test_orders.is_real(ORDERS.c.customer_id),
            # How long a drip-feed takes is the customer's choice.
            ~select(OrderRun.id).where(OrderRun.order_id == ORDERS.c.id).exists(),
        )
    )
    return tuple(_Ended(*row) for row in rows)
