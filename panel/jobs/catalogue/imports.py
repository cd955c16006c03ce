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
from panel.services.catalogue.imports import applying, lifecycle, schedule, undoing


def sweep(*, worker: str, wait: bool = False) -> int:
    """Work on due imports, each provider in its own lane. Returns their number when `wait` is set."""
    scheduled, due = schedule.due(now=utc_now()), lifecycle.due(now=utc_now())
    db.session.rollback()
    for provider_id in scheduled:
        with transaction():
            schedule.start(provider_id, now=utc_now())
    due += [each for each in scheduled if each not in due]
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
            if isinstance(problem, PanelError):
                schedule.fail(import_id, problem, now=utc_now())
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
        # One of an operator waits until rows are chosen.
        schedule.go_on(import_id, now=utc_now())
