"""The dispatch sweep: orders that are due go to their provider, one intent and one call each."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import provider_lanes
from panel.jobs.provider_calls import connect_provider, panel_settings, record_with_retry
from panel.providers.base import Provider
from panel.services.orders import dispatch
from panel.services.orders.dispatch import Assignment


def sweep(*, worker: str, wait: bool = False) -> int:
    """Hand over what is due, in each provider's own lane. With `wait`, how many orders were taken up."""
    waiting = dispatch.providers_with_work(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("dispatch", waiting, serve, wait=wait)


# The customer whose order was last handed over, by provider: the next one's turn comes after it.
_turns: dict[int, int] = {}


def serve(provider_id: int) -> int:
    """Hand over this provider's due orders, one intent and one call at a time, until none is due or it can't be called.

    An intent written ahead of its call would be in doubt if this process died before calling. The provider is read
    for each call: its key may have been replaced.
    """
    count = 0
    while dispatch.has_work(provider_id, now=utc_now()):
        provider = connect_provider(provider_id)
        if provider is None:
            break
        with transaction():
            taken = dispatch.open_attempts(
                provider_id,
                most=1,
                lease_seconds=panel_settings().lease_seconds,
                after_customer=_turns.get(provider_id, 0),
                now=utc_now(),
            )
        if not taken:
            break
        _turns[provider_id] = taken[0].customer_id
        _hand_over(provider, taken[0])
        count += 1
    db.session.rollback()
    return count


def _hand_over(provider: Provider, assignment: Assignment) -> None:
    """Call once, unless the lease has run out: then the call is not made, and the order is due again."""
    if utc_now() >= assignment.lease_until:
        with transaction():
            dispatch.release_assignments([assignment], now=utc_now())
        return
    outcome = provider.add(assignment.order, now=utc_now())
    record_with_retry(lambda: dispatch.record_outcome(assignment.attempt_id, outcome, now=utc_now()))
