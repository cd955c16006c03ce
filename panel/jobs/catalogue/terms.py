"""Sweep of mails about changed terms: one step per transaction, so that a round of many customers holds nothing up."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.services import terms_notifications


def sweep(*, worker: str) -> int:
    """Reads first, so that nothing is written while no tool has changed."""
    is_due = terms_notifications.is_due(now=utc_now())
    db.session.rollback()
    if not is_due:
        return 0
    with transaction():
        return terms_notifications.step(now=utc_now())
