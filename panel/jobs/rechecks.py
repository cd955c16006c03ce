"""The recheck sweep: providers are asked again about orders that have ended, in lanes of their own."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import provider_lanes, status_batches
from panel.services.orders import rechecks, sync
from panel.services.providers import health as provider_health

# How many batches one run asks about: what is open comes first at a provider that answers slowly.
MOST_BATCHES = 5


def sweep(*, worker: str, wait: bool = False) -> int:
    """Ask about what is due, in each provider's own lane. With `wait`, how many orders were asked about."""
    waiting = rechecks.providers_with_work(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("rechecks", waiting, serve, wait=wait)


def serve(provider_id: int) -> int:
    """Ask this provider about some batches. That it has forgotten an old order, or says nothing of it, is no news."""
    count = 0
    for _ in range(MOST_BATCHES):
        with transaction():
            asked = rechecks.take_batch(provider_id, now=utc_now())
        if not asked:
            break
        answers = status_batches.ask(provider_id, asked)
        with transaction():
            sync.apply_reports(asked, answers.reports, now=utc_now())
            if answers.silence is not None and answers.silence.asks_to_wait:
                provider_health.silent(provider_id, answers.silence, now=utc_now())
        count += len(asked)
        if answers.silence is not None:
            break
    return count
