"""The link rule sweep: tells operators of tools whose stored link pattern can't be used."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.services.catalogue import link_rules


def sweep(*, worker: str) -> int:
    """The number of tools newly reported. Writes nothing where every pattern can be used."""
    found = link_rules.unusable()
    db.session.rollback()
    if not found:
        return 0
    with transaction():
        return link_rules.review_unusable(found, now=utc_now())
