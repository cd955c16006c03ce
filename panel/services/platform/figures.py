"""Figures of the platform and of customers' orders, day by day: for the office, for reliability, for a tool's page.

Orders are counted over at most the newest of them, so that a page costs the same however many there are. The panel's
own test orders are never among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, func, select

from panel.db import db, table_of, timed_cache
from panel.domain.component_states import Component
from panel.domain.uptime_days import DayTimes, Uptime, last_days, uptime
from panel.models import Order
from panel.services import delivery_times, test_orders
from panel.services.platform import components, status_page

SHOWN_DAYS = 30
NEWEST_ORDERS = 100_000
MAX_AGE = timedelta(minutes=1)
# Completion times of a tool, each up to so many seconds; the last group has no end.
GROUPS_SECONDS = (60, 300, 900, 3_600, 21_600, 86_400)

BAR_LENGTH = 120

ORDERS = table_of(Order)


@dataclass(frozen=True)
class Day:
    """What happened on one UTC day: orders placed, those that got money back, how much, and completion times."""

    day: date
    placed: int
    returned_orders: int
    returned_nanos: int
    completed: int
    median_seconds: int | None
    p90_seconds: int | None


@dataclass(frozen=True)
class PlatformUptime:
    """The measured share of the last 90 days in which no essential part of the platform was out."""

    uptime: Uptime
    measured_days: int
    shown_days: int


@dataclass(frozen=True)
class ProviderDays:
    """How a provider did, day by day."""

    key: str
    label: str
    days: tuple[DayTimes, ...]
    uptime: Uptime | None


@dataclass(frozen=True)
class Group:
    """How many orders were Completed within a time, and later than the group before; None: however long it took."""

    within_seconds: int | None
    orders: int
    # How long its bar is, where the largest group's is BAR_LENGTH.
    bar: int = 0


def platform_uptime(*, interval_seconds: int = 60, now: datetime) -> PlatformUptime | None:
    """Of the whole platform; None where nothing was measured."""
    days = status_page.days_of(Component.PLATFORM, interval_seconds=interval_seconds, now=now)
    found = uptime(days)
    if found is None:
        return None
    return PlatformUptime(found, sum(day.known_seconds > 0 for day in days), len(days))


def by_day(*, now: datetime) -> list[Day]:
    """The last thirty days, the oldest first."""
    return timed_cache.cached("figures", lambda: _by_day(now=now), max_age=MAX_AGE, now=now)


def providers(*, interval_seconds: int, now: datetime) -> list[ProviderDays]:
    """Every provider that the status page shows."""
    found = []
    for key, label in components.names_of_providers().items():
        days = status_page.days_of(key, interval_seconds=interval_seconds, now=now)
        found.append(ProviderDays(key, label, days, uptime(days)))
    return found


def completion_groups(tool_id: int, *, now: datetime) -> list[Group] | None:
    """A tool's completion times in groups, over the orders that `measures` counts; None where they are too few."""
    times = [seconds for _at, seconds in delivery_times.completions(tool_id, now=now)]
    if len(times) < delivery_times.LEAST_SAMPLE:
        return None
    ends: Sequence[int | None] = (*GROUPS_SECONDS, None)
    begin, groups = -1, []
    for end in ends:
        groups.append(Group(end, sum(begin < each and (end is None or each <= end) for each in times)))
        begin = end if end is not None else begin
    most = max(group.orders for group in groups)
    return [replace(group, bar=-(-BAR_LENGTH * group.orders // most)) for group in groups]


def _by_day(*, now: datetime) -> list[Day]:
    days = last_days(now.date(), count=SHOWN_DAYS)
    placed, returned = _placed(days[0], now=now), _returned(days[0])
    times: dict[date, list[int]] = {}
    for at, seconds in delivery_times.completions(now=now):
        times.setdefault(at.date(), []).append(seconds)
    return [_day(day, placed.get(day, 0), returned.get(day, (0, 0)), sorted(times.get(day, []))) for day in days]


def _day(day: date, placed: int, returned: tuple[int, int], times: Sequence[int]) -> Day:
    median, p90 = delivery_times.median_and_p90(times) if times else (None, None)
    return Day(day, placed, returned[0], returned[1], len(times), median, p90)


def _placed(first: date, *, now: datetime) -> dict[date, int]:
    day = _day_of(ORDERS.c.placed_at)
    rows = db.session.execute(
        select(day, func.count())
        .where(
            ORDERS.c.id > _newest_id() - NEWEST_ORDERS,
            ORDERS.c.customer_id.is_distinct_from(test_orders.customer_id()),
            ORDERS.c.placed_at.between(now - timedelta(days=SHOWN_DAYS + 1), now),
        )
        .group_by(day)
    )
    return {found: count for text, count in rows if (found := date.fromisoformat(str(text))) >= first}


def _returned(first: date) -> dict[date, tuple[int, int]]:
    """By the day on which the order ended, which is when its unused money goes back."""
    day = _day_of(ORDERS.c.ended_at)
    rows = db.session.execute(
        select(day, func.count(), func.sum(ORDERS.c.returned_nanos))
        .where(
            ORDERS.c.id > _newest_id() - NEWEST_ORDERS,
            ORDERS.c.customer_id.is_distinct_from(test_orders.customer_id()),
            ORDERS.c.returned_nanos > 0,
            ORDERS.c.ended_at.is_not(None),
        )
        .group_by(day)
    )
    return {
        found: (int(count), int(nanos))
        for text, count, nanos in rows
        if (found := date.fromisoformat(str(text))) >= first
    }


def _newest_id() -> ColumnElement[int]:
    return func.coalesce(select(func.max(ORDERS.c.id)).scalar_subquery(), 0)


def _day_of(moment: ColumnElement[datetime]) -> ColumnElement[str]:
    """The UTC day of a moment as text, in the words of the engine in use."""
    if db.engine.dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", moment), "YYYY-MM-DD")
    return func.substr(moment, 1, 10)
