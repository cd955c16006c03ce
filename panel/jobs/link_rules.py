"""Link pattern sweep: opens a review for each tool whose stored link pattern can't be compiled."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.services.catalogue import link_rules


def sweep(*, worker: str) -> int:
    """Returns the number of newly reported tools. Writes nothing when every pattern compiles."""
    found = link_rules.unusable()
    db.session.rollback()
    if not found:
        return 0
    with transaction():
        return link_rules.review_unusable(found, now=utc_now())
