"""Work queues of the office, most urgent first: each with its rule, count and oldest item.

The order of the queues is fixed, so that a row never moves under the pointer. Open orders have an index of their own,
however many orders have ended.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, Subquery

from panel.services import delivery_times
from panel.services.office import queue_counts
from panel.services.office.queue_counts import LatenessLimits, QueueCount
from panel.services.orders import time_rules, timeouts
from panel.services.providers import health as provider_health


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue: its name in URLs, its rule in words, its number of items, and since when the oldest waits.

    `ends_at`: when the first of them is settled by time, where time does that.
    """

    name: str
    label: str
    rule: str
    url: str
    count: int
    oldest: datetime | None
    ends_at: datetime | None = None

    @property
    def page(self) -> str:
        """The path of the queue's page, without filters."""
        return self.url.partition("?")[0].partition("#")[0]


def all_queues(limits: LatenessLimits, *, now: datetime) -> list[Queue]:
    """All queues, including empty ones."""
    found = queue_counts.read(limits, now=now) | {"time-rules": _held_back(limits, now)}
    oldest = found["unconfirmed"].oldest
    if oldest is not None:
        ends_at = oldest + timedelta(hours=limits.unconfirmed_hours)
        found["unconfirmed"] = replace(found["unconfirmed"], ends_at=ends_at)
    return [
        Queue(name, label, rule, url, found[name].count, found[name].oldest, found[name].ends_at)
        for name, label, url, rule in _queues(limits)
    ]


def _held_back(limits: LatenessLimits, now: datetime) -> QueueCount:
    hold = time_rules.current(now=now)
    if hold is None:
        return QueueCount()
    hours = {"unconfirmed_hours": limits.unconfirmed_hours, "dispatch_hours": limits.dispatch_hours}
    count = timeouts.due(**hours, now=now).count
    return QueueCount(count, hold.since if count else None)


def _queues(limits: LatenessLimits) -> tuple[tuple[str, str, str, str], ...]:
    """Name, label, address and rule of each queue."""
    return (
        (
            "time-rules",
            "Time rules on hold",
            time_rules.PAGE,
            "Orders past their time limit are not canceled while the time rules are on hold. "
            "Check the server’s clock, then resume them.",
        ),
        (
            "unconfirmed",
            "Unconfirmed orders",
            "/office/reviews?kind=unconfirmed",
            "The provider’s answer was unclear, so the order may or may not have been placed there. It is not sent "
            f"again automatically. After {_hours(limits.unconfirmed_hours)} it is canceled and the money returned.",
        ),
        (
            "late",
            "Late to start",
            "/office/orders?queue=late",
            f"Not started, though 90% of this tool’s orders start sooner (last {delivery_times.WINDOW.days} days, at "
            f"least 5 minutes). Tools with too few orders: after {_hours(limits.dispatch_hours)}.",
        ),
        (
            "stalled",
            "Stalled",
            "/office/orders?queue=stalled",
            f"Started, but neither the status nor the delivered count changed for {_hours(limits.stuck_hours)}.",
        ),
        (
            "reviews",
            "Reviews",
            "/office/reviews",
            "Something that needs an operator’s decision. Unconfirmed orders are included.",
        ),
        (
            "cancellations",
            "Cancellations",
            "/office/refills#cancellations",
            "A customer asked to cancel an order and has no answer yet.",
        ),
        (
            "refills",
            "Refills",
            "/office/refills",
            "Refills that were requested and have not finished. You handle those of manual orders.",
        ),
        ("tickets", "Tickets", "/office/tickets", "The customer wrote last and is waiting for a reply."),
        (
            "manual",
            "Manual orders",
            "/office/orders?queue=manual",
            "Open orders that operators fulfill, assigned or not.",
        ),
        (
            "providers",
            "Providers not responding or paused",
            "/office/providers",
            f"Paused, or no usable answer to {provider_health.SILENT_AFTER} calls in a row, or unclear answers to "
            f"{provider_health.UNCLEAR_AFTER} orders in a row. Their orders wait.",
        ),
        (
            "deposits",
            "Deposits",
            "/office/deposits",
            "Deposits that customers announced. Confirm each one when its payment arrives.",
        ),
        (
            "approvals",
            "Approvals",
            "/office/approvals",
            "Amounts above the limit, and changes to operators’ access. A second operator approves them.",
        ),
    )


def late_orders(limits: LatenessLimits, *, now: datetime) -> Subquery[Any]:
    """Open orders that should have started by now: id and placed_at. Unconfirmed ones have their own queue."""
    return _subquery(queue_counts.late_orders(now=now), limits, now)


def stalled_orders(limits: LatenessLimits, *, now: datetime) -> Subquery[Any]:
    """Open orders whose status and count have not moved for long: id, placed_at and news_at."""
    return _subquery(queue_counts.stalled_orders(), limits, now)


def manual_orders() -> Subquery[Any]:
    """Open orders that operators fulfill: id and placed_at."""
    found: Subquery[Any] = queue_counts.manual_orders().subquery()
    return found


def _subquery(statement: Select[Any], limits: LatenessLimits, now: datetime) -> Subquery[Any]:
    found: Subquery[Any] = statement.params(queue_counts.values(limits, now=now)).subquery()
    return found


def orders_in(name: str, limits: LatenessLimits, *, now: datetime) -> Subquery[Any] | None:
    """Orders of a queue with their ids; None if there is no such queue."""
    match name:
        case "late":
            return late_orders(limits, now=now)
        case "stalled":
            return stalled_orders(limits, now=now)
        case "manual":
            return manual_orders()
    return None


ORDER_QUEUES = (("late", "Late to start"), ("stalled", "Stalled"), ("manual", "Manual orders"))


def _hours(hours: float) -> str:
    return f"{hours:g} hour{'' if hours == 1 else 's'}"
