"""Payment sweeps: works on gateways' events, and asks gateways about payment pages whose events may be lost."""

import structlog

from panel.clock import utc_now
from panel.db import db, transaction
from panel.payments.base import GatewayUnavailable
from panel.services.payments import checkouts, events, gateways

EVENTS_AT_ONCE = 100
LOOK_UPS_AT_ONCE = 10

log = structlog.get_logger()


def work_on_events(*, worker: str) -> int:
    """Work on due events, each in a transaction of its own. Returns how many were done."""
    due = events.due(most=EVENTS_AT_ONCE, now=utc_now())
    db.session.rollback()
    count = 0
    for event_id in due:
        with transaction():
            count += events.work_on(event_id, now=utc_now())
    return count


def look_up(*, worker: str) -> int:
    """Ask gateways about open payment pages that are due. Returns how many were asked about."""
    due = checkouts.due(most=LOOK_UPS_AT_ONCE, now=utc_now())
    db.session.rollback()
    for checkout in due:
        with transaction():
            is_ours = checkouts.take(checkout, now=utc_now())
        gateway = gateways.available().get(checkout.method)
        if not is_ours or gateway is None:
            continue
        try:
            report = gateway.look_up(checkout.checkout_id)
        except GatewayUnavailable as error:
            log.warning("payment_not_looked_up", method=checkout.method, why=str(error))
            continue
        if report is not None:
            with transaction():
                checkouts.apply(checkout, report, now=utc_now())
    return len(due)


def purge() -> int:
    """Blank the bodies of old events."""
    with transaction():
        return events.purge(now=utc_now())
