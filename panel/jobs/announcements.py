"""Announcement sweep: queues the mails about announcements and incidents, one batch of customers per transaction."""

from collections.abc import Callable

from panel.clock import utc_now
from panel.db import db, transaction
from panel.services import announcements
from panel.services.platform import incident_notifications


def sweep(*, worker: str) -> int:
    """Reads first, so that nothing is written while there is nothing to mail."""
    return _step(announcements.is_any_to_mail, announcements.queue_mails) + _step(
        incident_notifications.is_any_to_mail, incident_notifications.queue_mails
    )


def _step(is_any: Callable[[], bool], queue_mails: Callable[..., int]) -> int:
    has_any = is_any()
    db.session.rollback()
    if not has_any:
        return 0
    with transaction():
        return queue_mails(now=utc_now())
