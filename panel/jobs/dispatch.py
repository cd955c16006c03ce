"""Dispatch sweep: sends due orders to their providers, with one committed intent and one call per order."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import provider_lanes
from panel.jobs.provider_calls import connect_provider, panel_settings, record_with_retry
from panel.providers.base import ProviderClient
from panel.services.orders import dispatch
from panel.services.orders.dispatch import Assignment


def sweep(*, worker: str, wait: bool = False) -> int:
    """Send due orders, each provider in its own lane. Returns the number of orders started when `wait` is set."""
    waiting = dispatch.providers_with_work(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("dispatch", waiting, serve, wait=wait)


# Round robin: the customer served last, by provider.
_turns: dict[int, int] = {}


def serve(provider_id: int) -> int:
    """Send this provider's due orders, one intent and one call at a time, until none is due or it can't be called.

    Intents are not written in advance: one whose call never happened would be in doubt if this process died. The
    provider is read again for each call, since its key may have been replaced.
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


def _hand_over(provider: ProviderClient, assignment: Assignment) -> None:
    """Call the provider once. If the lease has expired, nothing is sent and the order becomes due again."""
    if utc_now() >= assignment.lease_until:
        with transaction():
            dispatch.release_assignments([assignment], now=utc_now())
        return
    outcome = provider.add(assignment.order, now=utc_now())
    record_with_retry(lambda: dispatch.record_outcome(assignment.attempt_id, outcome, now=utc_now()))
