"""Refill sweep: requests each refill once from its provider, and polls running refills until they end."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import provider_lanes
from panel.jobs.provider_calls import connect_provider, is_answer, panel_settings, record_with_retry
from panel.providers.base import NotSent, Outcome, ProviderClient, ProviderSilent
from panel.services.orders import refills
from panel.services.orders.refills import Task
from panel.services.providers import health as provider_health


def sweep(*, worker: str, wait: bool = False) -> int:
    """Process due refills, each provider in its own lane. Returns their number when `wait` is set."""
    waiting = refills.providers_with_work(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("refills", waiting, _serve, wait=wait)


def _serve(provider_id: int) -> int:
    """Process them one by one and stop at the first failed call."""
    count = 0
    for refill_id in refills.due_ids(provider_id, now=utc_now()):
        provider = connect_provider(provider_id)
        if provider is None:
            break
        with transaction():
            task = refills.lease_task(
                refill_id,
                again_seconds=panel_settings().sync_seconds,
                lease_seconds=panel_settings().lease_seconds,
                now=utc_now(),
            )
        if task is None:
            continue
        count += 1
        if not _work(provider, task):
            break
    return count


def _work(provider: ProviderClient, task: Task) -> bool:
    """Request the refill (once), or ask for its status. Whether the provider gave an answer."""
    if task.provider_refill_id is None:
        outcome: Outcome = NotSent("The call was not made in time.")
        if utc_now() < task.lease_until:
            outcome = provider.refill(task.ask, now=utc_now())
        record_with_retry(lambda: refills.record_outcome(task, outcome, now=utc_now()))
        return is_answer(outcome)
    try:
        word = provider.refill_status(task.provider_refill_id, now=utc_now())
    except ProviderSilent as silence:
        if not silence.is_in_words:
            with transaction():
                provider_health.silent(task.provider_id, silence, now=utc_now())
            return False
        word = str(silence)
    with transaction():
        refills.apply_provider_state(task, word, now=utc_now())
    return True
