"""Daily figures of the platform and of customers' orders, for the office, the reliability page and tool pages.

Only a limited number of the newest orders is counted, so that a page costs the same however many there are. The panel's
own test orders are excluded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, func, select

from panel.db import db, table_of, timed_cache
from panel.domain.platform.component_states import Component
from panel.domain.platform.uptime_days import DayTimes, Uptime, last_days, uptime
from panel.models import Order
from panel.services import delivery_times, test_orders
from panel.services.platform import components, status_page

SHOWN_DAYS = 30
NEWEST_ORDERS = 100_000
MAX_AGE = timedelta(minutes=1)
# Upper bounds of a tool's completion times, in seconds; the last group has none.
GROUPS_SECONDS = (60, 300, 900, 3_600, 21_600, 86_400)

BAR_LENGTH = 120

ORDERS = table_of(Order)


@dataclass(frozen=True)
class Day:
    """One UTC day: orders placed, orders refunded, the amount, and completion times."""

    day: date
    placed: int
    returned_orders: int
    returned_nanos: int
    completed: int
    median_seconds: int | None
    p90_seconds: int | None


@dataclass(frozen=True)
class PlatformUptime:
    """Share of the measured time in the last 90 days without an outage of a core component."""

    uptime: Uptime
    measured_days: int
    shown_days: int


@dataclass(frozen=True)
class ProviderDays:
    """Daily states of a provider."""

    key: str
    label: str
    days: tuple[DayTimes, ...]
    uptime: Uptime | None


@dataclass(frozen=True)
class Group:
    """Histogram bin: orders Completed within a time, but later than the previous bin; None: no upper bound."""

    within_seconds: int | None
    orders: int
    # Length of its bar; the largest bin has BAR_LENGTH.
    bar: int = 0


def platform_uptime(*, interval_seconds: int = 60, now: datetime) -> PlatformUptime | None:
    """Uptime of the whole platform; None without measurements."""
    days = status_page.days_of(Component.PLATFORM, interval_seconds=interval_seconds, now=now)
    found = uptime(days)
    if found is None:
        return None
    return PlatformUptime(found, sum(day.known_seconds > 0 for day in days), len(days))


def by_day(*, now: datetime) -> list[Day]:
    """The last thirty days, oldest first."""
    return timed_cache.cached("figures", lambda: _by_day(now=now), max_age=MAX_AGE, now=now)


def providers(*, interval_seconds: int, now: datetime) -> list[ProviderDays]:
    """All providers on the status page."""
    found = []
    for key, label in components.names_of_providers().items():
        days = status_page.days_of(key, interval_seconds=interval_seconds, now=now)
        found.append(ProviderDays(key, label, days, uptime(days)))
    return found


def completion_groups(tool_id: int, *, now: datetime) -> list[Group] | None:
    """Histogram of a tool's completion times, over the orders that `measures` counts; None if there are too few."""
    times = [seconds for _at, seconds in delivery_times.completions(tool_id, now=now)]
    if len(times) < delivery_times.MIN_SAMPLE:
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
            test_orders.is_real(ORDERS.c.customer_id),
            ORDERS.c.placed_at.between(now - timedelta(days=SHOWN_DAYS + 1), now),
        )
        .group_by(day)
    )
    return {found: count for text, count in rows if (found := date.fromisoformat(str(text))) >= first}


def _returned(first: date) -> dict[date, tuple[int, int]]:
    """Refunds by the day on which the order ended, when they are paid."""
    day = _day_of(ORDERS.c.ended_at)
    rows = db.session.execute(
        select(day, func.count(), func.sum(ORDERS.c.returned_nanos))
        .where(
            ORDERS.c.id > _newest_id() - NEWEST_ORDERS,
            test_orders.is_real(ORDERS.c.customer_id),
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
    """The UTC day of a timestamp as text, in this engine's SQL."""
    if db.engine.dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", moment), "YYYY-MM-DD")
    return func.substr(moment, 1, 10)
