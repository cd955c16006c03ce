"""Sync sweep: requests the status of every open order from its provider, a hundred orders per call.

Up to `calls_at_once` batches of a provider are on their way at the same time, over all workers.
"""

from datetime import datetime
from functools import partial

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import provider_lanes, status_batches
from panel.jobs.provider_calls import connect_provider, panel_settings
from panel.jobs.status_batches import StatusResults
from panel.models import CallKind
from panel.providers.base import StatusRequest
from panel.services.orders import sync
from panel.services.providers import call_slots
from panel.services.providers import health as provider_health


def sweep(*, worker: str, wait: bool = False) -> int:
    """Request due statuses, each provider in lanes of its own. Returns the number of orders when `wait` is set."""
    wanted = sync.lanes_wanted(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("sync", wanted, lambda provider_id: serve(provider_id, worker=worker), wait=wait)


def serve(provider_id: int, *, worker: str = "") -> int:
    """Request statuses batch by batch until none is due or the provider stops answering."""
    if connect_provider(provider_id) is None:
        return 0
    count = 0
    while True:
        began = utc_now()
        taken = _take(provider_id, worker=worker)
        if taken is None:
            return count
        asked, slot = taken
        answers = status_batches.request_statuses(provider_id, asked, before_more=partial(_renew, slot))
        if answers.silence is not None and len(asked) == 1 and sync.was_singled_out(asked[0].order_id):
            answers = StatusResults(alone=[(asked[0], answers.silence)])
        _write_down(provider_id, asked, answers, slot=slot, began=began)
        if answers.silence is not None:
            return count
        count += len(asked)


def _take(provider_id: int, *, worker: str) -> tuple[list[StatusRequest], int] | None:
    """The next batch, with the slot of its call; None without one of them."""
    settings = panel_settings()
    with status_batches.writing, transaction():
        slot = call_slots.take(
            provider_id,
            CallKind.STATUS,
            worker=worker,
            timeout_seconds=settings.provider_timeout_seconds,
            now=utc_now(),
        )
        if slot is None:
            return None
        asked = sync.take_batch(provider_id, again_seconds=settings.sync_seconds, now=utc_now())
        if not asked:
            call_slots.release(slot)
            return None
    return asked, slot


def _renew(slot: int) -> None:
    with transaction():
        call_slots.renew(slot, timeout_seconds=panel_settings().provider_timeout_seconds, now=utc_now())


def _write_down(
    provider_id: int, asked: list[StatusRequest], answers: StatusResults, *, slot: int, began: datetime
) -> None:
    def at_last() -> None:
        if answers.is_answered:
            provider_health.answered(provider_id, now=utc_now())
        call_slots.release(slot)

    status_batches.apply(asked, answers, at_last=at_last)
    for ask, why in answers.alone:
        with transaction():
            sync.single_out(ask, str(why), now=utc_now())
    if answers.silence is not None:
        with transaction():
            provider_health.silent(provider_id, answers.silence, began=began, now=utc_now())
