"""Daily sums: add what triggers have logged, and the transfers that are an hour old, in small transactions."""

from collections.abc import Callable

from panel.clock import utc_now
from panel.db import db, transaction
from panel.services.money import ledger_sums, profit_sums

# Batches in one run; what is left waits for the next one.
MOST_BATCHES = 400


def sweep(*, worker: str) -> int:
    """Returns how many changes and transfers were added."""
    return _while(profit_sums.is_behind, profit_sums.add_up) + _while(
        lambda: ledger_sums.is_behind(now=utc_now()), lambda: ledger_sums.add_up(now=utc_now())
    )


def _while(is_behind: Callable[[], bool], add_up: Callable[[], int]) -> int:
    """Reads first, so that an idle panel writes nothing."""
    added = 0
    for _ in range(MOST_BATCHES):
        is_due = is_behind()
        db.session.rollback()
        if not is_due:
            break
        with transaction():
            added += add_up()
    return added
