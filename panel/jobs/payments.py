"""Payment sweeps: works on gateways' events, and asks gateways about payment pages whose events may be lost."""

from datetime import date, timedelta

import structlog
from sqlalchemy.exc import OperationalError

from panel.clock import utc_now
from panel.db import begin_snapshot, db, transaction
from panel.domain.payment import PaymentMethod
from panel.payments.base import GatewayUnavailable
from panel.services.payments import checkouts, events, gateways, reconciliation
from panel.services.payments.reconciliation import Reconciliation

EVENTS_AT_ONCE = 100
LOOK_UPS_AT_ONCE = 10
# The hour (UTC) from which the day before is compared, and how many days are made up for after an outage.
RECONCILES_FROM = 3
RECONCILED_DAYS = 3

log = structlog.get_logger()


def work_on_events(*, worker: str) -> int:
    """Work on due events, each in a transaction of its own. Returns how many were done.

    An event that fails is tried again later, and the others don't wait for it.
    """
    due = events.due(most=EVENTS_AT_ONCE, now=utc_now())
    db.session.rollback()
    return sum(_work_on(event_id) for event_id in due)


def _work_on(event_id: int) -> bool:
    try:
        with transaction():
            return events.work_on(event_id, now=utc_now())
    except OperationalError:
        # The database is away: this concerns every event.
        raise
    except Exception:
        log.exception("payment_event_failed", event_id=event_id)
        with transaction():
            events.postpone(event_id, now=utc_now())
        return False


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


def compare(method: PaymentMethod, day: date) -> Reconciliation | None:
    """Compare the gateway's list with the ledger for this day; None if it keeps no list. Raises GatewayUnavailable."""
    listed = gateways.available()[method].payments(*reconciliation.window(day))
    if listed is None:
        return None
    # Read before the database is asked: no transaction is open during the calls.
    payments = list(listed)
    begin_snapshot()
    found = reconciliation.compare(method, day, payments)
    db.session.rollback()
    return found


def reconcile(*, worker: str) -> int:
    """Compare the last days that weren't compared yet, once each night. Returns how many were compared."""
    now = utc_now()
    if now.hour < RECONCILES_FROM:
        return 0
    count = 0
    for method in gateways.available():
        for days in range(RECONCILED_DAYS, 0, -1):
            count += _reconcile(method, now.date() - timedelta(days=days))
    return count


def _reconcile(method: PaymentMethod, day: date) -> bool:
    is_done = reconciliation.is_done(method, day)
    db.session.rollback()
    if is_done:
        return False
    try:
        found = compare(method, day)
    except GatewayUnavailable as error:
        log.warning("payments_not_reconciled", method=method, day=str(day), why=str(error))
        return False
    if found is None:
        return False
    with transaction():
        reconciliation.record(found, now=utc_now())
    return True


def purge() -> int:
    """Blank the bodies of old events."""
    with transaction():
        return events.purge(now=utc_now())
