"""Wall clock checks of the worker: detects a clock that was set forward or back and reacts to it.

Forward: time rules that move money stop and ask an operator. Back: due times would be late by as much as the clock
was set back, so they are moved to within one lease.
"""

from datetime import datetime, timedelta

import structlog

from panel.clock import ClockSteps, utc_now
from panel.db import db, transaction
from panel.jobs.provider_calls import panel_settings
from panel.services import due_times, health
from panel.services.orders import time_rules

# Smaller steps come from time synchronization.
MIN_STEP = timedelta(seconds=30)
SECONDS_AN_HOUR = 3600

log = structlog.get_logger()
clock_steps = ClockSteps(least=MIN_STEP)


def check_clock() -> timedelta | None:
    """React to a clock set since the last check or while no worker ran. Returns the step this worker saw.

    When the database fails, the next check reacts to the same step.
    """
    with clock_steps.handling() as step:
        _react(step)
    return step


def _react(step: timedelta | None) -> None:
    now = utc_now()
    seen, last_sign = health.newest_heartbeat(), time_rules.last_sign()
    db.session.rollback()
    if (why := _why_not_believed(step, last_sign=last_sign, now=now)) is not None:
        with transaction():
            time_rules.hold_for_clock(why, now=now)
    within = timedelta(seconds=panel_settings().lease_seconds)
    went_back = step is not None and step < timedelta()
    if went_back or (seen is not None and seen > now + max(within, time_rules.CLOCKS_APART)):
        with transaction():
            pulled_in = due_times.pull_in(latest=now + within)
        log.warning("clock_is_behind", due_again=pulled_in)
    if step is not None:
        log.warning("clock_was_set", by_seconds=round(step.total_seconds()))


def _why_not_believed(step: timedelta | None, *, last_sign: datetime | None, now: datetime) -> str | None:
    """Why the clock may be too far ahead to let time rules move money; None when the clock can be trusted."""
    if step is not None and step > time_rules.MAX_STEP:
        return f"The clock was set forward by {_long(step)} while the panel ran."
    if last_sign is not None and now - last_sign > time_rules.MAX_SILENCE:
        return f"No worker was seen for {_long(now - last_sign)}: the panel was off, or the clock is wrong."
    return None


def _long(span: timedelta) -> str:
    hours = span.total_seconds() / SECONDS_AN_HOUR
    return f"{hours / 24:,.0f} days" if hours >= 48 else f"{hours:,.0f} hours"
