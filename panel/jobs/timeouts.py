"""Timeout sweep: attempts of crashed processes become unknown, and orders unknown for too long end.

Refills that stay open for too long are reported to operators.
"""

import structlog

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import clocks
from panel.jobs.provider_calls import panel_settings
from panel.services.orders import time_rules, timeouts
from panel.services.orders.time_rules import Cap
from panel.settings import Settings

log = structlog.get_logger()


def sweep(*, worker: str, wait: bool = False) -> int:
    """Apply the time rules. Returns the number of attempts and orders changed."""
    clocks.check_clock()
    settings = panel_settings()
    with transaction():
        count = timeouts.expire_leases(now=utc_now())
    with transaction():
        count += timeouts.expire_refill_leases(now=utc_now())
    count += _end_by_time(settings)
    with transaction():
        count += timeouts.review_slow_refills(unconfirmed_hours=settings.unconfirmed_hours, now=utc_now())
    return count


def _end_by_time(settings: Settings) -> int:
    """End orders whose time is up, within the hourly cap and unless on hold. Returns their number."""
    hours, now = settings.unconfirmed_hours, utc_now()
    due = timeouts.due(unconfirmed_hours=hours, dispatch_hours=settings.dispatch_hours, now=now).count
    db.session.rollback()
    if not due:
        return 0
    cap = Cap(settings.time_rule_orders_an_hour, settings.time_rule_percent_an_hour)
    with transaction():
        left = time_rules.left(cap, now=now)
        ended = timeouts.give_up(unconfirmed_hours=hours, dispatch_hours=settings.dispatch_hours, most=left, now=now)
        ended += timeouts.refuse_refills(unconfirmed_hours=hours, most=left - ended, now=now)
        hold = time_rules.count(ended, cap=cap, waiting=due - ended, now=now)
    if hold is not None:
        log.error("time_rules_on_hold", why=hold.why, waiting=due - ended)
    return ended
