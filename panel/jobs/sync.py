"""Sync sweep: requests the status of every open order from its provider, a hundred orders per call."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import provider_lanes, status_batches
from panel.jobs.provider_calls import connect_provider, panel_settings
from panel.jobs.status_batches import Answers
from panel.providers.base import Ask
from panel.services.orders import sync
from panel.services.providers import health as provider_health


def sweep(*, worker: str, wait: bool = False) -> int:
    """Request due statuses, each provider in its own lane. Returns the number of orders when `wait` is set."""
    waiting = sync.providers_with_work(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("sync", waiting, serve, wait=wait)


def serve(provider_id: int) -> int:
    """Request statuses batch by batch until none is due or the provider stops answering."""
    if connect_provider(provider_id) is None:
        return 0
    count = 0
    while True:
        with transaction():
            asked = sync.take_batch(provider_id, again_seconds=panel_settings().sync_seconds, now=utc_now())
        if not asked:
            return count
        answers = status_batches.ask(provider_id, asked)
        if answers.silence is not None and len(asked) == 1 and sync.was_singled_out(asked[0].order_id):
            answers = Answers(alone=[(asked[0], answers.silence)])
        _write_down(provider_id, asked, answers)
        if answers.silence is not None:
            return count
        count += len(asked)


def _write_down(provider_id: int, asked: list[Ask], answers: Answers) -> None:
    with transaction():
        sync.apply_reports(asked, answers.reports, now=utc_now())
        if answers.is_answered:
            provider_health.answered(provider_id, now=utc_now())
    for ask, why in answers.alone:
        with transaction():
            sync.single_out(ask, str(why), now=utc_now())
    if answers.silence is not None:
        with transaction():
            provider_health.silent(provider_id, answers.silence, now=utc_now())
