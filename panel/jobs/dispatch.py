"""The dispatch sweep: orders that are due go to their provider, one intent and one call each."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import lanes
from panel.jobs.calls import is_answer, panel_settings, provider_of, write_down
from panel.providers.base import Provider
from panel.services import dispatching
from panel.services.dispatching import Assignment

AT_ONCE = 10


def sweep(*, worker: str, wait: bool = False) -> int:
    """Hand over what is due, in each provider's own lane. With `wait`, how many orders were taken up."""
    waiting = dispatching.providers_with_work(now=utc_now())
    db.session.rollback()
    return lanes.run("dispatch", waiting, serve, wait=wait)


def serve(provider_id: int) -> int:
    """Hand over this provider's due orders, a few intents at a time, until none is due or it can't be called."""
    provider = provider_of(provider_id)
    count = 0
    while provider is not None and provider_id in dispatching.providers_with_work(now=utc_now()):
        with transaction():
            taken = dispatching.open_attempts(
                provider_id, most=AT_ONCE, lease_seconds=panel_settings().lease_seconds, now=utc_now()
            )
        if not taken:
            break
        _hand_over_all(provider, taken)
        count += len(taken)
    db.session.rollback()
    return count


def _hand_over_all(provider: Provider, taken: list[Assignment]) -> None:
    """Call for one after the other; after a call that went wrong, or a while, give the others back uncalled."""
    middle = utc_now() + (taken[0].lease_until - utc_now()) / 2
    for number, assignment in enumerate(taken, start=1):
        went_well = _hand_over(provider, assignment)
        if not went_well or utc_now() >= middle:
            with transaction():
                dispatching.release(taken[number:], now=utc_now())
            return


def _hand_over(provider: Provider, assignment: Assignment) -> bool:
    """Call once, unless the lease has run out: then the call is not made. Whether the provider gave an answer."""
    if utc_now() >= assignment.lease_until:
        with transaction():
            dispatching.release([assignment], now=utc_now())
        return False
    outcome = provider.add(assignment.order, now=utc_now())
    write_down(lambda: dispatching.settle(assignment.attempt_id, outcome, now=utc_now()))
    return is_answer(outcome)
