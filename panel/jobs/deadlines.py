"""The deadline sweep: what vanished callers left open becomes unknown, and what stayed unknown too long ends.

Refills that are open for too long are shown to operators.
"""

from panel.clock import utc_now
from panel.db import transaction
from panel.jobs.calls import panel_settings
from panel.services import deadlines


def sweep(*, worker: str, wait: bool = False) -> int:
    """Settle what time has settled. How many attempts and orders that were."""
    settings = panel_settings()
    with transaction():
        count = deadlines.expire_leases(now=utc_now())
    with transaction():
        count += deadlines.give_up(
            unconfirmed_hours=settings.unconfirmed_hours,
            dispatch_hours=settings.dispatch_hours,
            now=utc_now(),
        )
    with transaction():
        count += deadlines.expire_refills(unconfirmed_hours=settings.unconfirmed_hours, now=utc_now())
    with transaction():
        count += deadlines.review_slow_refills(unconfirmed_hours=settings.unconfirmed_hours, now=utc_now())
    return count
