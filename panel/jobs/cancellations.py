"""The cancellation sweep: passes customers' requests to stop on to the providers that have the orders."""

from collections import defaultdict
from functools import partial

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import lanes
from panel.jobs.calls import is_answer, provider_of
from panel.services import cancellations


def sweep(*, worker: str, wait: bool = False) -> int:
    """Pass on what is due, in each provider's own lane. With `wait`, how many requests."""
    by_provider: dict[int, list[int]] = defaultdict(list)
    for provider_id, cancellation_id in cancellations.due(now=utc_now()):
        by_provider[provider_id].append(cancellation_id)
    db.session.rollback()
    return lanes.run("cancellations", by_provider, partial(_serve, by_provider), wait=wait)


def _serve(by_provider: dict[int, list[int]], provider_id: int) -> int:
    """One after the other, until a call goes wrong: the rest is then not tried on a provider that fails."""
    provider = provider_of(provider_id)
    if provider is None:
        return 0
    count = 0
    for cancellation_id in by_provider[provider_id]:
        with transaction():
            request = cancellations.take(cancellation_id, now=utc_now())
        if request is None:
            continue
        outcome = provider.cancel(request.ask, now=utc_now())
        with transaction():
            cancellations.settle(request, outcome, now=utc_now())
        count += 1
        if not is_answer(outcome):
            break
    return count
