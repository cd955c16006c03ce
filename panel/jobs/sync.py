"""The sync sweep: every open order's provider is asked about it, a hundred orders a call."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import lanes
from panel.jobs.calls import panel_settings, provider_of
from panel.providers.base import ProviderSilent
from panel.services import provider_health, syncing


def sweep(*, worker: str, wait: bool = False) -> int:
    """Ask about what is due, in each provider's own lane. With `wait`, how many orders were asked about."""
    waiting = syncing.providers_with_work(now=utc_now())
    db.session.rollback()
    return lanes.run("sync", waiting, serve, wait=wait)


def serve(provider_id: int) -> int:
    """Ask this provider batch by batch until no question is due, or it falls silent."""
    provider = provider_of(provider_id)
    if provider is None:
        return 0
    count = 0
    while True:
        with transaction():
            asked = syncing.take_batch(provider_id, again_seconds=panel_settings().sync_seconds, now=utc_now())
        if not asked:
            return count
        try:
            reports = provider.status(asked, now=utc_now())
        except ProviderSilent as silence:
            with transaction():
                provider_health.failed(provider_id, text=str(silence), now=utc_now())
            return count
        with transaction():
            syncing.apply_reports(asked, reports, now=utc_now())
            provider_health.answered(provider_id, now=utc_now())
        count += len(asked)
