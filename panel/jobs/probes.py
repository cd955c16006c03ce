"""Health probes: measure every component each minute, place a test order when one is due, and store the results."""

import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.errors import PanelError
from panel.domain.platform.component_states import COMPONENTS, Component, Finding, State
from panel.jobs import self_check
from panel.jobs.provider_calls import panel_settings
from panel.services import health
from panel.services.money import audit as auditing
from panel.services.money import chain_verification
from panel.services.platform import audit_runs, canary, checks, incident_proposals, measurements
from panel.settings import Settings, secret_key

log = structlog.get_logger()


def sweep(*, worker: str) -> int:
    """Run one round of probes. Returns the number of components measured."""
    settings, now = panel_settings(), utc_now()
    address = self_check.address_of(settings)
    trouble = _place_canary(settings)
    db.session.rollback()
    page_ms = self_check.page_ms(address)
    api_ms = self_check.api_ms(address, key=_key(settings)) if settings.canary_seconds else None
    ordering = _ordering(settings, trouble=trouble)
    newest = canary.newest()
    core = [
        _finding(Component.SITE, page_ms),
        ordering,
        checks.dispatch(now=now),
        checks.updates(newest, sync_seconds=settings.sync_seconds, now=now),
        checks.refunds(newest, now=now),
        _finding(Component.API, api_ms) if settings.canary_seconds else _not_asked(),
    ]
    others = checks.providers(now=now)
    found = [checks.whole(core, others), *core, *others]
    with transaction():
        gap = measurements.record(found, interval_seconds=settings.probe_seconds, now=now)
        made = incident_proposals.propose(found, gap=gap, now=now)
        proposed = [incident.title for incident in made]
    for title in proposed:
        log.warning("incident_proposed", title=title)
    return len(found)


def audit(*, worker: str) -> int:
    """Run the ledger audit when it is due. Returns the number of orders checked.

    Once a day the hash chains are verified from the first row on, else from the last checkpoint.
    """
    now = utc_now()
    if not audit_runs.is_due(now=now):
        return 0
    began = time.monotonic()
    is_due = chain_verification.is_from_start_due(now=now)
    found = auditing.audit(from_start=is_due, now=now, is_resumable=True)
    took_ms = int((time.monotonic() - began) * 1_000)
    with transaction():
        auditing.record(found, now=now)
        audit_runs.record(found, took_ms=took_ms, now=utc_now())
    if not found.is_sound:
        log.error("audit_not_sound", differences=list(found.differences[:3]))
    return found.orders


def _key(settings: Settings) -> str:
    return canary.key_of(secret_key(settings))


def _place_canary(settings: Settings) -> str | None:
    """Place the next test order when it is due. Returns the error that prevented it, if any."""
    if not settings.canary_seconds:
        return None
    try:
        if not canary.is_prepared():
            with transaction():
                canary.prepare(key=_key(settings), now=utc_now())
        elif not canary.has_key(_key(settings)):
            with transaction():
                canary.use_key(_key(settings))
        if canary.is_due(canary.newest(), every_seconds=settings.canary_seconds, now=utc_now()):
            with transaction():
                canary.place(now=utc_now())
    except (PanelError, SQLAlchemyError) as error:
        db.session.rollback()
        log.warning("canary_not_placed", exc_info=True)
        return type(error).__name__
    return None


def _ordering(settings: Settings, *, trouble: str | None) -> Finding:
    """Whether an order can be validated and written, and how long that took."""
    if trouble is not None:
        return Finding(Component.ORDERING, State.MAJOR, text="A test order could not be placed.")
    db.session.rollback()
    began = time.monotonic()
    if not health.can_write():
        return Finding(Component.ORDERING, State.MAJOR, text="The database takes no orders.")
    if settings.canary_seconds:
        canary.check()
    took_ms = int((time.monotonic() - began) * 1_000)
    limits = COMPONENTS[Component.ORDERING].limits
    assert limits is not None
    return Finding(Component.ORDERING, limits.judge(took_ms), took_ms, "Orders are taken.")


def _finding(component: Component, took_ms: int | None) -> Finding:
    limits = COMPONENTS[component].limits
    assert limits is not None
    text = "It answers." if took_ms is not None else "It did not answer."
    return Finding(component, limits.judge(took_ms), took_ms, text)


def _not_asked() -> Finding:
    return Finding(Component.API, State.UNKNOWN, text="It is asked only where test orders are placed.")
