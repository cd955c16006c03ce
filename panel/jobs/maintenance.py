"""Maintenance sweep: reopens ordering on pages once its end has come."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.services import maintenance


def sweep(*, worker: str) -> int:
    """Reads first, so that a panel whose ordering is open writes nothing."""
    is_closed = maintenance.is_stored()
    db.session.rollback()
    if not is_closed:
        return 0
    with transaction():
        return maintenance.end_due(now=utc_now())
