"""Work queues of the office, most urgent first: each with its rule, count and oldest item.

The order of the queues is fixed, so that a row never moves under the pointer. Open orders have an index of their own,
however many orders have ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Subquery, and_, case, func, literal, or_, select

from panel.db import UtcDateTime, db, table_of
from panel.domain.provider_kind import ProviderKind
from panel.domain.status import Status
from panel.domain.ticket import TicketState
from panel.models import (
    IS_NOT_COMPLETED,
    IS_OPEN_ATTEMPT,
    IS_OPEN_REFILL,
    Attempt,
    AttemptKind,
    AttemptState,
    Cancellation,
    CancellationState,
    DepositRequest,
    EventKind,
    Order,
    OrderEvent,
    Proposal,
    ProposalState,
    Provider,
    Refill,
    Review,
    Ticket,
    Tool,
)
from panel.services import delivery_times
from panel.services.money import deposits
from panel.services.orders import time_rules, timeouts
from panel.services.providers import health as provider_health

# However fast the tool usually starts: nobody is called for a delay of seconds.
MIN_LATE = timedelta(minutes=5)

ORDERS, EVENTS = table_of(Order), table_of(OrderEvent)


@dataclass(frozen=True, slots=True)
class LatenessLimits:
    """Settings that define when something is late."""

    dispatch_hours: float
    stuck_hours: float
    unconfirmed_hours: float


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
    return [make(limits, now) for make in _QUEUES]


def _time_rules(limits: LatenessLimits, now: datetime) -> Queue:
    hold, count = time_rules.current(now=now), 0
    if hold is not None:
        hours = {"unconfirmed_hours": limits.unconfirmed_hours, "dispatch_hours": limits.dispatch_hours}
        count = timeouts.due(**hours, now=now).count
    rule = (
        "Orders past their time limit are not canceled while the time rules are on hold. "
        "Check the server’s clock, then resume them."
    )
    return Queue(
        "time-rules", "Time rules on hold", rule, time_rules.PAGE, count, hold.since if count and hold else None
    )


def _unconfirmed(limits: LatenessLimits, now: datetime) -> Queue:
    unknown = and_(IS_OPEN_ATTEMPT, Attempt.state == AttemptState.UNKNOWN, Attempt.kind == AttemptKind.ADD)
    count, oldest = _counted(select(func.count(), func.min(Attempt.at)).where(unknown))
    return Queue(
        "unconfirmed",
        "Unconfirmed orders",
        "The provider’s answer was unclear, so the order may or may not have been placed there. It is not sent again "
        f"automatically. After {_hours(limits.unconfirmed_hours)} it is canceled and the money returned.",
        "/office/reviews?kind=unconfirmed",
        count,
        oldest,
        oldest + timedelta(hours=limits.unconfirmed_hours) if oldest else None,
    )


def _late(limits: LatenessLimits, now: datetime) -> Queue:
    found = late_orders(limits, now=now)
    count, oldest = _counted(select(func.count(), func.min(found.c.placed_at)).select_from(found))
    return Queue(
        "late",
        "Late to start",
        f"Not started, though 90% of this tool’s orders start sooner (last {delivery_times.WINDOW.days} days, at least "
        f"5 minutes). Tools with too few orders: after {_hours(limits.dispatch_hours)}.",
        "/office/orders?queue=late",
        count,
        oldest,
    )


def _stalled(limits: LatenessLimits, now: datetime) -> Queue:
    found = stalled_orders(limits, now=now)
    count, oldest = _counted(select(func.count(), func.min(found.c.news_at)).select_from(found))
    return Queue(
        "stalled",
        "Stalled",
        f"Started, but neither the status nor the delivered count changed for {_hours(limits.stuck_hours)}.",
        "/office/orders?queue=stalled",
        count,
        oldest,
    )


def _reviews(limits: LatenessLimits, now: datetime) -> Queue:
    count, oldest = _counted(select(func.count(), func.min(Review.opened_at)).where(Review.resolved_at.is_(None)))
    rule = "Something that needs an operator’s decision. Unconfirmed orders are included."
    return Queue("reviews", "Reviews", rule, "/office/reviews", count, oldest)


def _cancellations(limits: LatenessLimits, now: datetime) -> Queue:
    asked = Cancellation.state == CancellationState.ASKED
    count, oldest = _counted(select(func.count(), func.min(Cancellation.asked_at)).where(asked))
    rule = "A customer asked to cancel an order and has no answer yet."
    return Queue("cancellations", "Cancellations", rule, "/office/refills#cancellations", count, oldest)


def _refills(limits: LatenessLimits, now: datetime) -> Queue:
    count, oldest = _counted(select(func.count(), func.min(Refill.asked_at)).where(IS_OPEN_REFILL))
    rule = "Refills that were requested and have not finished. You handle those of manual orders."
    return Queue("refills", "Refills", rule, "/office/refills", count, oldest)


def _manual(limits: LatenessLimits, now: datetime) -> Queue:
    found = manual_orders()
    count, oldest = _counted(select(func.count(), func.min(found.c.placed_at)).select_from(found))
    rule = "Open orders that operators fulfill, assigned or not."
    return Queue("manual", "Manual orders", rule, "/office/orders?queue=manual", count, oldest)


def _providers(limits: LatenessLimits, now: datetime) -> Queue:
    stopped = or_(
        Provider.paused_at.is_not(None),
        Provider.failures >= provider_health.SILENT_AFTER,
        Provider.unclear_adds >= provider_health.UNCLEAR_AFTER,
    )
    count, oldest = _counted(select(func.count(), func.min(Provider.paused_at)).where(stopped))
    rule = (
        f"Paused, or no usable answer to {provider_health.SILENT_AFTER} calls in a row, or unclear answers to "
        f"{provider_health.UNCLEAR_AFTER} orders in a row. Their orders wait."
    )
    return Queue("providers", "Providers not responding or paused", rule, "/office/providers", count, oldest)


def _deposits(limits: LatenessLimits, now: datetime) -> Queue:
    waiting = select(func.count(), func.min(DepositRequest.requested_at)).where(*deposits.WAITS_FOR_OPERATOR)
    count, oldest = _counted(waiting)
    rule = "Deposits that customers announced. Confirm each one when its payment arrives."
    return Queue("deposits", "Deposits", rule, "/office/deposits", count, oldest)


def _approvals(limits: LatenessLimits, now: datetime) -> Queue:
    waits = (Proposal.state == ProposalState.OPEN, Proposal.expires_at > now)
    count, oldest, ends_at = db.session.execute(
        select(func.count(), func.min(Proposal.proposed_at), func.min(Proposal.expires_at)).where(*waits)
    ).one()
    rule = "Amounts above the limit, and changes to operators’ access. A second operator approves them."
    return Queue("approvals", "Approvals", rule, "/office/approvals", count, oldest, ends_at)


def _tickets(limits: LatenessLimits, now: datetime) -> Queue:
    ours = Ticket.state == TicketState.WAITING_FOR_US
    count, oldest = _counted(select(func.count(), func.min(Ticket.waits_since)).where(ours))
    rule = "The customer wrote last and is waiting for a reply."
    return Queue("tickets", "Tickets", rule, "/office/tickets", count, oldest)


_QUEUES: tuple[Callable[[LatenessLimits, datetime], Queue], ...] = (
    _time_rules,
    _unconfirmed,
    _late,
    _stalled,
    _reviews,
    _cancellations,
    _refills,
    _tickets,
    _manual,
    _providers,
    _deposits,
    _approvals,
)


def late_orders(limits: LatenessLimits, *, now: datetime) -> Subquery[Any]:
    """Open orders that should have started by now: id and placed_at. Unconfirmed ones have their own queue."""
    usual = literal(now - timedelta(hours=limits.dispatch_hours), UtcDateTime())
    cutoffs = {
        tool_id: literal(now - max(timedelta(seconds=p90), MIN_LATE), UtcDateTime())
        for tool_id, p90 in _usual_starts(now=now).items()
    }
    cutoff: Any = case(cutoffs, value=ORDERS.c.tool_id, else_=usual) if cutoffs else usual
    waiting = _open((Status.PENDING, Status.PROCESSING))
    not_started = (ORDERS.c.started_at.is_(None), ORDERS.c.unconfirmed_at.is_(None))
    found: Subquery[Any] = waiting.where(*not_started, ORDERS.c.placed_at <= cutoff, _not_planned(now)).subquery()
    return found


def _usual_starts(*, now: datetime) -> dict[int, int]:
    """90th percentile of the time to start by tool, if enough orders were measured."""
    tools = db.session.scalars(select(Tool.id)).all()
    measured = {tool_id: delivery_times.time_to_start(tool_id, now=now) for tool_id in tools}
    return {tool_id: measure.p90_seconds for tool_id, measure in measured.items() if measure is not None}


def stalled_orders(limits: LatenessLimits, *, now: datetime) -> Subquery[Any]:
    """Open orders whose status and count have not moved for long: id, placed_at and news_at."""
    news_at = (
        select(EVENTS.c.at)
        .where(EVENTS.c.order_id == ORDERS.c.id, EVENTS.c.kind != EventKind.NOTED)
        .order_by(EVENTS.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    long_ago = literal(now - timedelta(hours=limits.stuck_hours), UtcDateTime())
    # Processing counts as started here: someone has taken the order up.
    found = _open((Status.PROCESSING, Status.IN_PROGRESS)).add_columns(news_at.label("news_at"))
    waiting: Subquery[Any] = found.where(news_at <= long_ago, _not_planned(now)).subquery()
    return waiting


def _not_planned(now: datetime) -> Any:
    """No next run of a drip-feed has its time to come; an order that is tried again is due within minutes."""
    soon = literal(now + timedelta(minutes=10), UtcDateTime())
    return func.coalesce(ORDERS.c.dispatch_at, soon) <= soon


def manual_orders() -> Subquery[Any]:
    """Open orders that operators fulfill: id and placed_at."""
    manual = select(Provider.id).where(Provider.kind == ProviderKind.MANUAL)
    open_ones = _open([status for status in Status if status.is_open])
    found: Subquery[Any] = open_ones.where(ORDERS.c.provider_id.in_(manual)).subquery()
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


def _open(statuses: Sequence[Status]) -> Any:
    """Orders in these open statuses, by the partial index of uncompleted orders."""
    words: list[str] = [status.value for status in statuses]
    return select(ORDERS.c.id, ORDERS.c.placed_at).where(IS_NOT_COMPLETED, ORDERS.c.status.in_(words))


def _counted(statement: Any) -> tuple[int, datetime | None]:
    count, oldest = db.session.execute(statement).one()
    return int(count), oldest


def _hours(hours: float) -> str:
    return f"{hours:g} hour{'' if hours == 1 else 's'}"
