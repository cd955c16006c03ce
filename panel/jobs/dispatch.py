"""Dispatch sweep: sends due orders to their providers, with one committed intent and one call per order.

Up to `calls_at_once` lanes a provider work side by side; the limit over all workers is in `call_slots`.
"""

import threading
from collections import defaultdict

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import provider_lanes
from panel.jobs.provider_calls import connect_provider, is_answer, panel_settings, record_with_retry
from panel.models import CallKind
from panel.providers.base import Outcome, ProviderClient
from panel.services.orders import dispatch, fail_over
from panel.services.orders.dispatch import Assignment
from panel.services.providers import call_slots


def sweep(*, worker: str, wait: bool = False) -> int:
    """Send due orders, each provider in lanes of its own. Returns the number of orders when `wait` is set."""
    _pass_on_waiting()
    wanted = dispatch.lanes_wanted(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("dispatch", wanted, lambda provider_id: serve(provider_id, worker=worker), wait=wait)


def _pass_on_waiting() -> None:
    """Give orders that wait for a paused provider to the next provider of their tool."""
    found = fail_over.waiting(now=utc_now())
    db.session.rollback()
    if found:
        with transaction():
            fail_over.pass_on_waiting(found, now=utc_now())


class _Turns:
    """Round robin: the customer served last. Lanes take orders one after the other, while they hold `lock`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.last_customer = 0


_turns: defaultdict[int, _Turns] = defaultdict(_Turns)


def serve(provider_id: int, *, worker: str = "") -> int:
    """Send this provider's due orders, one intent and one call at a time, until none is due or it can't be called.

    Intents are not written in advance: one whose call never happened would be in doubt if this process died. The
    provider is read again for each call, since its key may have been replaced.
    """
    count = 0
    while (provider := connect_provider(provider_id)) is not None:
        taken = _take(provider_id, worker=worker)
        if taken is None:
            break
        _hand_over(provider, *taken)
        count += 1
    return count


def _take(provider_id: int, *, worker: str) -> tuple[Assignment, int] | None:
    """Commit the intent of the next order together with the slot of its call; None without an order or a slot."""
    turns, settings = _turns[provider_id], panel_settings()
    with turns.lock, transaction():
        slot = call_slots.take(
            provider_id,
            CallKind.ADD,
            worker=worker,
            timeout_seconds=settings.provider_timeout_seconds,
            now=utc_now(),
        )
        if slot is None:
            return None
        taken = dispatch.open_attempts(
            provider_id,
            most=1,
            lease_seconds=settings.lease_seconds,
            after_customer=turns.last_customer,
            now=utc_now(),
        )
        if not taken:
            call_slots.release(slot)
            return None
        turns.last_customer = taken[0].customer_id
    return taken[0], slot


def _hand_over(provider: ProviderClient, assignment: Assignment, slot: int) -> None:
    """Call the provider once. If the lease has expired, nothing is sent and the order becomes due again."""
    if utc_now() >= assignment.lease_until:
        with transaction():
            dispatch.release_assignments([assignment], now=utc_now())
            call_slots.release(slot)
        return
    outcome = provider.add(assignment.order, now=utc_now())
    if is_answer(outcome):
        _record(assignment, outcome, slot)
        return
    # The other lanes send nothing more before this is recorded and they have read it.
    with _turns[assignment.provider_id].lock:
        _record(assignment, outcome, slot)


def _record(assignment: Assignment, outcome: Outcome, slot: int) -> None:
    def record() -> None:
        dispatch.record_outcome(assignment.attempt_id, outcome, now=utc_now())
        call_slots.release(slot)

    record_with_retry(record)
