"""Counts of the office's queues, all in one statement, which every page of the office executes.

It is compiled once for the tools whose usual time to start is measured: each has a time after which an order is late.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, func, literal_column, null, or_, select, union_all

from panel.db import UtcDateTime, table_of
from panel.db.compiled_statements import CompiledStatement
from panel.domain.provider_kind import ProviderKind
from panel.domain.status import Status
from panel.domain.ticket import TicketState
from panel.models import (
    IS_NOT_CLOSED,
    IS_NOT_COMPLETED,
    IS_OPEN_ATTEMPT,
    IS_OPEN_CANCELLATION,
    IS_OPEN_PROPOSAL,
    IS_OPEN_REFILL,
    Attempt,
    AttemptKind,
    AttemptState,
    Cancellation,
    DepositRequest,
    EventKind,
    Order,
    OrderEvent,
    Proposal,
    Provider,
    Refill,
    Review,
    Ticket,
)
from panel.services import delivery_times
from panel.services.money import deposits
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
class QueueCount:
    """How many wait in a queue, since when the oldest does, and when the first ends by itself."""

    count: int = 0
    oldest: datetime | None = None
    ends_at: datetime | None = None


def read(limits: LatenessLimits, *, now: datetime) -> dict[str, QueueCount]:
    """Counts of each queue of `_queues`, by its name."""
    found = _statement(tuple(_p90_to_start(now))).fetch(values(limits, now=now))
    return {name: QueueCount(int(count), oldest, ends_at) for name, count, oldest, ends_at in found}


def values(limits: LatenessLimits, *, now: datetime) -> dict[str, datetime]:
    """Values of the statements below."""
    starts = {tool_id: timedelta(seconds=p90) for tool_id, p90 in _p90_to_start(now).items()}
    cutoffs = {_cutoff(tool_id): now - max(start, MIN_LATE) for tool_id, start in starts.items()}
    return cutoffs | {
        "now": now,
        # An order that is tried again is due within minutes.
        "soon": now + timedelta(minutes=10),
        "usual_cutoff": now - timedelta(hours=limits.dispatch_hours),
        "long_ago": now - timedelta(hours=limits.stuck_hours),
    }


def late_orders(*, now: datetime) -> Select[Any]:
    """Open orders that should have started by now: id and placed_at. Unconfirmed ones have their own queue."""
    return _late(tuple(_p90_to_start(now)))


def stalled_orders() -> Select[Any]:
    """Open orders whose status and count have not moved for long: id, placed_at and news_at."""
    news_at = (
        select(EVENTS.c.at)
        .where(EVENTS.c.order_id == ORDERS.c.id, EVENTS.c.kind != EventKind.NOTED)
        .order_by(EVENTS.c.id.desc())
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    # Processing counts as started here: someone has taken the order up.
    found = _open(Status.PROCESSING, Status.IN_PROGRESS).add_columns(news_at.label("news_at"))
    return found.where(news_at <= _moment("long_ago"), _not_planned())


def manual_orders() -> Select[Any]:
    """Open orders that operators fulfill: id and placed_at."""
    manual = select(Provider.id).where(Provider.kind == ProviderKind.MANUAL)
    return _open(*(status for status in Status if status.is_open)).where(ORDERS.c.provider_id.in_(manual))


def _late(measured: Collection[int]) -> Select[Any]:
    cutoffs = {tool_id: _moment(_cutoff(tool_id)) for tool_id in measured}
    usual = _moment("usual_cutoff")
    cutoff: Any = case(cutoffs, value=ORDERS.c.tool_id, else_=usual) if cutoffs else usual
    not_started = (ORDERS.c.started_at.is_(None), ORDERS.c.unconfirmed_at.is_(None))
    return _open(Status.PENDING, Status.PROCESSING).where(*not_started, ORDERS.c.placed_at <= cutoff, _not_planned())


@lru_cache(16)
def _statement(measured: tuple[int, ...]) -> CompiledStatement:
    return CompiledStatement(lambda: union_all(*_queues(measured)))


def _queues(measured: Collection[int]) -> list[Select[Any]]:
    """Name, count, oldest and first end of each queue. PostgreSQL takes the types from the first one."""
    late, stalled, manual = (each.subquery() for each in (_late(measured), stalled_orders(), manual_orders()))
    is_unconfirmed = and_(IS_OPEN_ATTEMPT, Attempt.state == AttemptState.UNKNOWN, Attempt.kind == AttemptKind.ADD)
    is_stopped = or_(
        Provider.paused_at.is_not(None),
        Provider.failures >= provider_health.SILENT_AFTER,
        Provider.unclear_adds >= provider_health.UNCLEAR_AFTER,
    )
    is_proposed = and_(IS_OPEN_PROPOSAL, Proposal.expires_at > _moment("now"))
    return [
        _count("approvals", Proposal.proposed_at, func.min(Proposal.expires_at)).where(is_proposed),
        _count("unconfirmed", Attempt.at).where(is_unconfirmed),
        _count("late", late.c.placed_at).select_from(late),
        _count("stalled", stalled.c.news_at).select_from(stalled),
        _count("reviews", Review.opened_at).where(Review.resolved_at.is_(None)),
        _count("cancellations", Cancellation.asked_at).where(IS_OPEN_CANCELLATION),
        _count("refills", Refill.asked_at).where(IS_OPEN_REFILL),
        _count("tickets", Ticket.waits_since).where(IS_NOT_CLOSED, Ticket.state == TicketState.WAITING_FOR_US),
        _count("manual", manual.c.placed_at).select_from(manual),
        _count("providers", Provider.paused_at).where(is_stopped),
        _count("deposits", DepositRequest.requested_at).where(*deposits.WAITS_FOR_OPERATOR),
    ]


def _count(name: str, at: Any, ends_at: Any = None) -> Select[Any]:
    first_end = null() if ends_at is None else ends_at
    return select(literal_column(f"'{name}'").label("name"), func.count(), func.min(at), first_end)


def _p90_to_start(now: datetime) -> Mapping[int, int]:
    return delivery_times.p90_to_start(now=now)


def _cutoff(tool_id: int) -> str:
    return f"cutoff_{tool_id}"


def _not_planned() -> Any:
    """No next run of a drip-feed has its time to come."""
    return func.coalesce(ORDERS.c.dispatch_at, _moment("soon")) <= _moment("soon")


def _open(*statuses: Status) -> Select[Any]:
    """Orders in these open statuses, by the partial index of uncompleted orders."""
    words: list[Any] = [literal_column(f"'{status.value}'") for status in statuses]
    return select(ORDERS.c.id, ORDERS.c.placed_at).where(IS_NOT_COMPLETED, ORDERS.c.status.in_(words))


def _moment(name: str) -> Any:
    return bindparam(name, type_=UtcDateTime())
