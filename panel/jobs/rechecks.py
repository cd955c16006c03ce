"""Recheck sweep: asks providers again about ended orders, in its own lanes, to find late contradictions."""

from functools import partial

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import provider_lanes, status_batches
from panel.jobs.status_batches import StatusResults
from panel.services.orders import rechecks
from panel.services.providers import health as provider_health

# Batches per run: at a slow provider, open orders come first.
MAX_BATCHES = 5


def sweep(*, worker: str, wait: bool = False) -> int:
    """Ask about due orders, each provider in its own lane. Returns the number of orders when `wait` is set."""
    waiting = rechecks.providers_with_work(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("rechecks", waiting, serve, wait=wait)


def serve(provider_id: int) -> int:
    """Ask this provider about some batches. An old order that it no longer knows is ignored."""
    count = 0
    for _ in range(MAX_BATCHES):
        with transaction():
            asked = rechecks.take_batch(provider_id, now=utc_now())
        if not asked:
            break
        answers = status_batches.request_statuses(provider_id, asked)
        status_batches.apply(asked, answers, at_last=partial(_note_silence, provider_id, answers))
        count += len(asked)
        if answers.silence is not None:
            break
    return count


def _note_silence(provider_id: int, answers: StatusResults) -> None:
    if answers.silence is not None and answers.silence.asks_to_wait:
        provider_health.silent(provider_id, answers.silence, now=utc_now())
