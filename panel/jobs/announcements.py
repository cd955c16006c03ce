"""Announcement sweep: queues the mails about published announcements, one batch of customers per transaction."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.services import announcements


def sweep(*, worker: str) -> int:
    """Reads first, so that nothing is written while there is nothing to mail."""
    is_any = announcements.is_any_to_mail()
    db.session.rollback()
    if not is_any:
        return 0
    with transaction():
        return announcements.queue_mails(now=utc_now())
