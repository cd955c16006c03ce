"""Import sweep: fetches the catalogues that operators asked for, writes what they chose, and undoes imports.

Each step is a transaction of its own, so that a worker that dies loses nothing and others go on.
"""

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.errors import PanelError
from panel.jobs import provider_lanes
from panel.jobs.provider_calls import connect_provider
from panel.models import ImportState
from panel.providers.base import ProviderSilent
from panel.providers.panel_api import PanelApi
from panel.services.catalogue import provider_rows
from panel.services.catalogue.imports import applying, lifecycle, undoing


def sweep(*, worker: str, wait: bool = False) -> int:
    """Work on due imports, each provider in its own lane. Returns their number when `wait` is set."""
    due = lifecycle.due(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("imports", due, _work, wait=wait)


def _work(provider_id: int) -> int:
    with transaction():
        taken = lifecycle.take(provider_id, now=utc_now())
    if taken is None:
        return 0
    import_id, state = taken
    try:
        if state == ImportState.ASKED:
            _fetch(import_id, provider_id)
        else:
            step = applying.apply_some if state == ImportState.APPLYING else undoing.undo_some
            while _step(step, import_id):
                pass
    except (PanelError, ProviderSilent) as problem:
        with transaction():
            lifecycle.fail(import_id, str(problem), now=utc_now())
    return 1


def _step(step: lifecycle.Step, import_id: int) -> bool:
    with transaction():
        return step(import_id, now=utc_now())


def _fetch(import_id: int, provider_id: int) -> None:
    """Ask for the catalogue, and for our balance, whose currency is that of the prices."""
    upstream = connect_provider(provider_id)
    if not isinstance(upstream, PanelApi):
        raise ProviderSilent("it is no upstream panel")
    answer = upstream.services()
    currency = ""
    if not provider_rows.currencies(answer):
        currency = upstream.balance()[1]
    with transaction():
        lifecycle.keep(import_id, answer, balance_currency=currency, now=utc_now())
