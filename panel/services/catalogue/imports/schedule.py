"""Scheduled imports: every few hours prices, limits and vanished tools follow the provider, without an operator.

They never add a tool, rename one or show a hidden one. Where many prices would fall, or many tools would be hidden, the
import waits for an operator.
"""

from datetime import datetime, timedelta

from sqlalchemy import select

from panel.db import db
from panel.domain.errors import ActionRefused, BadInput, PanelError
from panel.domain.review_kind import ReviewKind
from panel.models import CatalogueImport, ImportState, Provider
from panel.services import audit_log, reviews
from panel.services.catalogue import provider_markup
from panel.services.catalogue.imports import lifecycle, provider_lock
from panel.services.catalogue.imports.import_row import RowKind
from panel.services.catalogue.provider_markup import PricesWouldFall

MAX_HOURS = 168
ACTOR = "schedule"
# An operator's preview is not displaced as long as it is fresh.
KEEPS_PREVIEW = timedelta(hours=24)
# More tools than this, or than half of them, are not hidden without an operator.
MAX_VANISHED = 10


def set_hours(provider_id: int, text: str, *, actor: str, now: datetime) -> None:
    """Set the hours between imports; an empty text ends them. Raises NotFound, BadInput or Refused."""
    provider = provider_lock.lock(provider_id)
    hours = _hours(text) if text else None
    if hours is not None and provider.margin_millionths is None:
        raise ActionRefused("Set the margin first, so that nothing is sold at cost.")
    provider.import_hours = hours
    provider.import_due_at = None if hours is None else now + timedelta(hours=hours)
    db.session.flush()
    detail = "no schedule" if hours is None else f"every {hours} hours"
    audit_log.write("providers schedule", actor=actor, subject=f"provider {provider.name}", detail=detail, now=now)


def _hours(text: str) -> int:
    hours = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 0
    if not 0 < hours <= MAX_HOURS:
        raise BadInput(f"Write the hours as a whole number from 1 to {MAX_HOURS}.", field="hours")
    return hours


def due(*, now: datetime) -> list[int]:
    """Providers whose scheduled import is due."""
    return list(db.session.scalars(select(Provider.id).where(Provider.import_due_at <= now)))


def start(provider_id: int, *, now: datetime) -> None:
    """Have the worker fetch the catalogue, unless an operator is at an import; the next time is set in any case."""
    provider = provider_lock.lock(provider_id)
    if provider.import_hours is None or provider.import_due_at is None or provider.import_due_at > now:
        return
    provider.import_due_at = now + timedelta(hours=provider.import_hours)
    db.session.flush()
    newest = lifecycle.latest(provider_id)
    is_fresh = newest is not None and newest.asked_at > now - KEEPS_PREVIEW
    if newest is not None and newest.state == ImportState.READY and is_fresh and not newest.is_scheduled:
        return
    try:
        lifecycle.request_import(provider_id, actor=ACTOR, now=now).is_scheduled = True
    except ActionRefused:
        return
    db.session.flush()


def go_on(import_id: int, *, now: datetime) -> None:
    """Apply a scheduled import that was fetched, or leave it to an operator with a review."""
    found = lifecycle.held(import_id)
    if found.state != ImportState.READY or not found.is_scheduled:
        return
    plan = lifecycle.preview(found, now=now)
    try:
        provider_markup.check_falls(plan.prices, followed=plan.imported)
    except PricesWouldFall:
        falls = sum(change.falls for change in plan.prices)
        wait(found, f"{falls:,} {'price' if falls == 1 else 'prices'} would fall", now=now)
        return
    vanished = len(plan.of(RowKind.VANISHED))
    if vanished > MAX_VANISHED or 2 * vanished > plan.imported:
        wait(found, f"{vanished:,} {'tool' if vanished == 1 else 'tools'} would be hidden", now=now)
        return
    services = {each.service for each in plan.rows}
    if any(each.kind.does_something for each in plan.rows):
        lifecycle.apply(import_id, services, actor=ACTOR, now=now)
    else:
        lifecycle.finish(found, ImportState.APPLIED, now=now)


def wait(found: CatalogueImport, why: str, *, now: datetime) -> None:
    """Leave the import to an operator, who sees all of it and chooses."""
    found.is_scheduled = False
    db.session.flush()
    _review(found, f"waits for an operator: {why}. Look at it under Import", now=now)


def fail(import_id: int, problem: PanelError, *, now: datetime) -> None:
    """Tell operators why a scheduled import can't be used. A silent provider has an alert of its own."""
    found = lifecycle.held(import_id)
    if found.is_scheduled:
        _review(found, f"failed: {problem.message.removesuffix('.')}", now=now)


def _review(found: CatalogueImport, outcome: str, *, now: datetime) -> None:
    name = db.session.get_one(Provider, found.provider_id).name
    text = f"The scheduled import of {name} on {now:%Y-%m-%d %H:%M} UTC {outcome}."
    reviews.open_review(ReviewKind.IMPORT_WAITS, provider_id=found.provider_id, text=text, now=now)
