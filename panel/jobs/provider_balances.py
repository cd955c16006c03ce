"""Provider balance sweep: reads our balance at each upstream panel, so that no page has to call one."""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import provider_lanes
from panel.jobs.provider_calls import connect_provider
from panel.providers.base import ProviderSilent
from panel.providers.panel_api import PanelApi
from panel.services.office import providers_view


def sweep(*, worker: str, wait: bool = False) -> int:
    """Read due balances, each provider in its own lane. Returns their number when `wait` is set."""
    due = providers_view.balances_due(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("balances", due, _check_balance, wait=wait)


def _check_balance(provider_id: int) -> int:
    with transaction():
        if not providers_view.take_balance(provider_id, now=utc_now()):
            return 0
    provider = connect_provider(provider_id)
    if not isinstance(provider, PanelApi):
        return 0
    try:
        balance, currency = provider.balance()
    except ProviderSilent as silence:
        with transaction():
            providers_view.note_silence(provider_id, str(silence))
        return 1
    with transaction():
        providers_view.note_balance(provider_id, f"{balance} {currency}".strip(), now=utc_now())
    return 1
