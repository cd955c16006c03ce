"""Alert sweep: notifies operators of what begins, continues and ends."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.services.alerts import rounds


def sweep(*, worker: str) -> int:
    """Reads first, so that nothing is written while nothing changes. Returns how many steps were sent."""
    is_due = rounds.is_due(now=utc_now())
    db.session.rollback()
    if not is_due:
        return 0
    with transaction():
        return rounds.notify(now=utc_now())
