"""Catalogue sweep: announces changes of tools and prices to resellers' webhook endpoints."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.services.api import catalogue_events


def sweep(*, worker: str) -> int:
    """Reads first, so that a catalogue that hasn't changed writes nothing."""
    is_due = catalogue_events.is_due()
    db.session.rollback()
    if not is_due:
        return 0
    with transaction():
        return catalogue_events.announce(now=utc_now())
