"""Circuit breaker for timeouts that move money: an hourly cap, and a hold that an operator ends.

Timeouts cancel orders that could not be sent or confirmed. A wrong clock or a provider outage of a day makes many of
them due together. Above the hourly cap, or when the clock can't be right, the timeouts stop, a review opens and an
operator decides.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, literal_column, select

from panel.db import db, lock_rows, table_of, upsert
from panel.db.compiled_statements import CompiledStatement
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import IS_NOT_COMPLETED, Heartbeat, Order, OrderEvent, TimeRules, Transfer
from panel.services import audit_log, health, reviews

HOUR = timedelta(hours=1)
# A clock that jumps ahead by more than this while the panel runs is not trusted.
MAX_STEP = timedelta(hours=1)
# Allowed time without a worker: more than a day, so that `worker --once` each day is enough.
MAX_SILENCE = timedelta(hours=26)
# Allowed difference between the clocks of two machines.
CLOCKS_APART = timedelta(minutes=5)
PAGE = "/office/time-rules"

# The newest time that each of these tables has.
_STORED = (
    select(func.max(Heartbeat.at)),
    select(OrderEvent.at).order_by(OrderEvent.id.desc()).limit(literal_column("1")),
    select(Transfer.at).order_by(Transfer.id.desc()).limit(literal_column("1")),
)
# Read by every page of the office.
_CURRENT = CompiledStatement(
    lambda: select(
        TimeRules.held_at, TimeRules.held_why, TimeRules.trusted_until, *(each.scalar_subquery() for each in _STORED)
    ).where(TimeRules.id == literal_column("1"))
)


@dataclass(frozen=True, slots=True)
class Cap:
    """Hourly cap on timed-out orders: a number, or a share of the open orders if that is more."""

    orders: int
    percent: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Why the timeouts are on hold, and since when."""

    why: str
    since: datetime


def cap_now(cap: Cap) -> int:
    """The cap as a number of orders, given how many are open."""
    words = [status.value for status in Status if status.is_open]
    open_orders = db.session.scalar(select(func.count()).where(IS_NOT_COMPLETED, Order.status.in_(words)))
    return max(cap.orders, (open_orders or 0) * cap.percent // 100)


def left(cap: Cap, *, now: datetime) -> int:
    """How many more orders may time out now; 0 on hold. Locks the row, so that all workers share one count."""
    rules = _locked()
    if _hold(rules, now=now) is not None:
        return 0
    rules.asked_at = None
    began = rules.hour_began_at
    if began is None or not began <= now < began + HOUR:
        rules.hour_began_at, rules.ended_in_hour, rules.allowance = now, 0, 0
    return rules.allowance + max(0, cap_now(cap) - rules.ended_in_hour)


def count(ended: int, *, cap: Cap, waiting: int, now: datetime) -> Hold | None:
    """Count timed-out orders. Returns the hold if it is new, so that operators can be notified.

    `waiting`: how many are due and were not ended.
    """
    rules = _locked()
    by_operator = min(ended, rules.allowance)
    rules.allowance -= by_operator
    rules.ended_in_hour += ended - by_operator
    hold = _hold(rules, now=now)
    if waiting and hold is None and rules.ended_in_hour >= cap_now(cap):
        why = f"Time ended {rules.ended_in_hour + by_operator} orders and refills within an hour, which is the most."
        rules.held_at, rules.held_why, rules.asked_at = now, why, None
        hold = Hold(why, now)
    db.session.flush()
    return _request_decision(rules, hold, waiting=waiting, now=now) if waiting and hold is not None else None


def hold_for_clock(why: str, *, now: datetime) -> bool:
    """Hold the timeouts until an operator confirms the clock; returns whether the hold is new."""
    rules = _locked()
    if rules.held_at is not None:
        return False
    rules.held_at, rules.held_why, rules.asked_at = now, why, None
    db.session.flush()
    return True


def current(*, now: datetime) -> Hold | None:
    """The current hold, if any."""
    rows = _CURRENT.fetch({})
    if not rows:
        return None
    held_at, held_why, trusted_until, *stored = rows[0]
    newest = max((at for at in stored if at is not None), default=None)
    return _hold_of(held_at, held_why, trusted_until, newest=newest, now=now)


def last_sign() -> datetime | None:
    """When the panel was last known to run: a worker heartbeat, or an operator's resume."""
    trusted = db.session.scalar(select(TimeRules.trusted_until).where(TimeRules.id == 1))
    return max((at for at in (health.newest_heartbeat(), trusted) if at is not None), default=None)


def resume(*, waiting: int, reason: str, actor: str, now: datetime) -> None:
    """Resume the timeouts, with the number waiting now on top of the cap, and trust the clock and the stored times."""
    reason = audit_log.checked_reason(reason)
    rules = _locked()
    rules.held_at, rules.held_why, rules.asked_at = None, "", None
    rules.hour_began_at, rules.ended_in_hour, rules.allowance = now, 0, waiting
    rules.trusted_until = max(newest_stored() or now, now)
    db.session.flush()
    reviews.close(ReviewKind.TIME_RULES, resolution=f"Resumed: {reason}", now=now)
    detail = f"{waiting} due: {reason}"
    audit_log.write("time-rules resume", actor=actor, subject="time rules", detail=detail, now=now)


def newest_stored() -> datetime | None:
    """The newest time stored in the database, of a worker, an event or a transfer."""
    found = [db.session.scalar(each) for each in _STORED]
    return max((at for at in found if at is not None), default=None)


def _locked() -> TimeRules:
    db.session.execute(
        upsert(table_of(TimeRules)).values(id=1, ended_in_hour=0, allowance=0, held_why="").on_conflict_do_nothing()
    )
    held = lock_rows(select(TimeRules).where(TimeRules.id == 1))
    rules: TimeRules = db.session.execute(held, execution_options={"populate_existing": True}).scalar_one()
    return rules


def _hold(rules: TimeRules, *, now: datetime) -> Hold | None:
    newest = newest_stored() if rules.held_at is None else None
    return _hold_of(rules.held_at, rules.held_why, rules.trusted_until, newest=newest, now=now)


def _hold_of(
    held_at: datetime | None, held_why: str, trusted_until: datetime | None, *, newest: datetime | None, now: datetime
) -> Hold | None:
    if held_at is not None:
        return Hold(held_why, held_at)
    if newest is None or newest <= now + CLOCKS_APART:
        return None
    if trusted_until is not None and newest <= trusted_until:
        return None
    return Hold(f"The newest record is from {newest:%Y-%m-%d %H:%M} UTC, which is still to come.", now)


def _request_decision(rules: TimeRules, hold: Hold, *, waiting: int, now: datetime) -> Hold | None:
    if rules.asked_at is not None:
        return None
    rules.asked_at = now
    text = (
        f"Orders are no longer ended by time: {hold.why} {waiting:,} wait. If the clock is right and they should "
        f"be canceled with their money returned, resume on {PAGE} or with `flask time-rules resume`."
    )
    return hold if reviews.open_review(ReviewKind.TIME_RULES, text=text, raw=now.isoformat(), now=now) else None
