"""Cancellation sweep: sends customers' cancellation requests to the providers that have the orders."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import provider_lanes
from panel.jobs.provider_calls import connect_provider, is_answer
from panel.services.orders import cancellations


def sweep(*, worker: str, wait: bool = False) -> int:
    """Send due cancellation requests, each provider in its own lane. Returns their number when `wait` is set."""
    waiting = cancellations.providers_with_work(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("cancellations", waiting, _serve, wait=wait)


def _serve(provider_id: int) -> int:
    """Send them one by one and stop at the first failed call: a failing provider is not asked again in this run."""
    count = 0
    for cancellation_id in cancellations.due_ids(provider_id, now=utc_now()):
        provider = connect_provider(provider_id)
        if provider is None:
            break
        with transaction():
            request = cancellations.lease_request(cancellation_id, now=utc_now())
        if request is None:
            continue
        outcome = provider.cancel(request.ask, now=utc_now())
        with transaction():
            cancellations.record_outcome(request, outcome, now=utc_now())
        count += 1
        if not is_answer(outcome):
            break
    return count
