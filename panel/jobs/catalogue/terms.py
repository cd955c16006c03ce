"""Sweep of terms: applies scheduled changes that are due, and takes one step of the mails about changed terms.

Each change and each step has a transaction of its own, so that many of them hold nothing up.
"""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.services import terms_notifications
from panel.services.catalogue import scheduled_terms

CHANGES_A_SWEEP = 50


def sweep(*, worker: str) -> int:
    """Reads first, so that nothing is written while nothing is due."""
    return _apply_due() + _mail()


def _apply_due() -> int:
    count, is_any = 0, scheduled_terms.is_any_due(now=utc_now())
    db.session.rollback()
    while is_any and count < CHANGES_A_SWEEP:
        with transaction():
            is_any = scheduled_terms.apply_next(now=utc_now())
        count += is_any
    return count


def _mail() -> int:
    is_due = terms_notifications.is_due(now=utc_now())
    db.session.rollback()
    if not is_due:
        return 0
    with transaction():
        return terms_notifications.step(now=utc_now())
