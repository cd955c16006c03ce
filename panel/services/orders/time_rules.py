"""Rate limit on time rules that move money, with a hold that an operator ends.

Time cancels orders that could not be sent or confirmed. A wrong clock, or a provider that was away for a day, makes
many of them due at once. So time may end only so many in an hour; then, or when the clock can't be right, the rules
stop, open a review and wait for an operator.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from panel.db import db, lock_rows, table_of, upsert
from panel.domain.status import Status
from panel.models import Heartbeat, OrderCount, OrderEvent, TimeRules, Transfer
from panel.services import audit_log, health, reviews

HOUR = timedelta(hours=1)
# A clock that is set forward by more than this while the panel runs is not believed.
MOST_STEP = timedelta(hours=1)
# As long may no worker have been seen: a panel that runs `worker --once` each day stays below.
MOST_SILENCE = timedelta(hours=26)
# What the clocks of two machines may differ by.
CLOCKS_APART = timedelta(minutes=5)
REVIEW = "time_rules"
PAGE = "/office/time-rules"


@dataclass(frozen=True, slots=True)
class Cap:
    """How many orders time may end in an hour: so many, or this share of the open orders where that is more."""

    orders: int
    percent: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Why the rules are on hold, and since when."""

    why: str
    since: datetime


def cap_now(cap: Cap) -> int:
    """The cap as a number of orders, by how many are open now."""
    words = [status.value for status in Status if status.is_open]
    open_orders = db.session.scalar(select(func.sum(OrderCount.orders)).where(OrderCount.status.in_(words)))
    return max(cap.orders, int(open_orders or 0) * cap.percent // 100)


def left(cap: Cap, *, now: datetime) -> int:
    """How many orders time may end now; 0 on hold. Holds the row, so that two workers share one count."""
    rules = _locked()
    if _hold(rules, now=now) is not None:
        return 0
    rules.asked_at = None
    began = rules.hour_began_at
    if began is None or not began <= now < began + HOUR:
        rules.hour_began_at, rules.ended_in_hour, rules.allowance = now, 0, 0
    return rules.allowance + max(0, cap_now(cap) - rules.ended_in_hour)


def count(ended: int, *, cap: Cap, waiting: int, now: datetime) -> Hold | None:
    """Count what time has ended just now. The hold that operators are asked to end, where that is news.

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
    return _ask(rules, hold, waiting=waiting, now=now) if waiting and hold is not None else None


def hold_for_clock(why: str, *, now: datetime) -> bool:
    """Put the rules on hold until an operator says that the clock is right; whether they were not on hold before."""
    rules = _locked()
    if rules.held_at is not None:
        return False
    rules.held_at, rules.held_why, rules.asked_at = now, why, None
    db.session.flush()
    return True


def current(*, now: datetime) -> Hold | None:
    """Why the rules are on hold now, if they are."""
    rules = db.session.get(TimeRules, 1)
    return None if rules is None else _hold(rules, now=now)


def last_sign() -> datetime | None:
    """When the panel was last known to run: a worker was seen, or an operator let the rules go on."""
    trusted = db.session.scalar(select(TimeRules.trusted_until).where(TimeRules.id == 1))
    return max((at for at in (health.newest_heartbeat(), trusted) if at is not None), default=None)


def resume(*, waiting: int, reason: str, actor: str, now: datetime) -> None:
    """Let the rules go on, with as many as wait now besides the cap. The clock and what is stored count as right."""
    reason = audit_log.checked_reason(reason)
    rules = _locked()
    rules.held_at, rules.held_why, rules.asked_at = None, "", None
    rules.hour_began_at, rules.ended_in_hour, rules.allowance = now, 0, waiting
    rules.trusted_until = max(newest_stored() or now, now)
    db.session.flush()
    reviews.close(REVIEW, resolution=f"Resumed: {reason}", now=now)
    detail = f"{waiting} due: {reason}"
    audit_log.write("time-rules resume", actor=actor, subject="time rules", detail=detail, now=now)


def newest_stored() -> datetime | None:
    """The newest moment that the database knows: of a worker, an event or a transfer."""
    moments = (
        select(func.max(Heartbeat.at)),
        select(OrderEvent.at).order_by(OrderEvent.id.desc()).limit(1),
        select(Transfer.at).order_by(Transfer.id.desc()).limit(1),
    )
    found = [db.session.scalar(each) for each in moments]
    return max((at for at in found if at is not None), default=None)


def _locked() -> TimeRules:
    db.session.execute(
        upsert(table_of(TimeRules)).values(id=1, ended_in_hour=0, allowance=0, held_why="").on_conflict_do_nothing()
    )
    held = lock_rows(select(TimeRules).where(TimeRules.id == 1))
    rules: TimeRules = db.session.execute(held, execution_options={"populate_existing": True}).scalar_one()
    return rules


def _hold(rules: TimeRules, *, now: datetime) -> Hold | None:
    if rules.held_at is not None:
        return Hold(rules.held_why, rules.held_at)
    newest = newest_stored()
    if newest is None or newest <= now + CLOCKS_APART:
        return None
    if rules.trusted_until is not None and newest <= rules.trusted_until:
        return None
    return Hold(f"The newest record is from {newest:%Y-%m-%d %H:%M} UTC, which is still to come.", now)


def _ask(rules: TimeRules, hold: Hold, *, waiting: int, now: datetime) -> Hold | None:
    if rules.asked_at is not None:
        return None
    rules.asked_at = now
    text = (
        f"Orders are no longer ended by time: {hold.why} {waiting:,} wait. If the clock is right and they should "
        f"be canceled with their money returned, resume on {PAGE} or with `flask time-rules resume`."
    )
    return hold if reviews.open_review(REVIEW, text=text, raw=now.isoformat(), now=now) else None
