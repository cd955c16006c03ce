"""Import in the office, step by step: asked for, fetched by the worker, previewed, chosen, applied, perhaps undone."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import delete, func, select

from panel import app_context
from panel.db import db, lock_rows
from panel.domain.accounts.roles import Action
from panel.domain.errors import ActionRefused, BadInput
from panel.models import CatalogueImport, ImportedTool, ImportState, Provider, Tool
from panel.services import audit_log
from panel.services.catalogue import provider_markup, provider_rows
from panel.services.catalogue.imports import known_tools, planning, provider_lock
from panel.services.catalogue.imports.import_row import RowKind
from panel.services.catalogue.imports.planning import ImportPlan
from panel.services.catalogue.provider_markup import Markup
from panel.services.catalogue.provider_rows import ProviderRow

# A worker that does not come back within this time is replaced: fetching may take three times the provider's time-out.
LEASE = timedelta(minutes=5)
MAX_SKIPPED_SENTENCES = 500
KEPT_IMPORTS = 20
UNDOABLE = (ImportState.APPLIED, ImportState.FAILED)


class Step(Protocol):
    """One step of an import; returns whether there is more to do."""

    def __call__(self, import_id: int, *, now: datetime) -> bool: ...


def latest(provider_id: int) -> CatalogueImport | None:
    """The provider's newest import."""
    newest = select(CatalogueImport).where(CatalogueImport.provider_id == provider_id)
    found: CatalogueImport | None = db.session.scalar(
        newest.order_by(CatalogueImport.id.desc()).limit(1), execution_options={"populate_existing": True}
    )
    return found


def current(provider_id: int) -> CatalogueImport | None:
    """The provider's import that the worker is at, else the newest one."""
    return provider_lock.running(provider_id) or latest(provider_id)


def can_undo(found: CatalogueImport) -> bool:
    """Whether it changed tools, and what they were is still known."""
    if found.state not in UNDOABLE:
        return False
    return db.session.scalar(select(ImportedTool.id).where(ImportedTool.import_id == found.id).limit(1)) is not None


def undoable(provider_id: int) -> CatalogueImport | None:
    """The provider's last import that changed tools and can be undone."""
    return db.session.scalar(
        select(CatalogueImport)
        .where(CatalogueImport.provider_id == provider_id, CatalogueImport.state.in_(UNDOABLE))
        .where(select(ImportedTool.id).where(ImportedTool.import_id == CatalogueImport.id).exists())
        .order_by(CatalogueImport.id.desc())
        .limit(1)
    )


def request_import(provider_id: int, *, actor: str, now: datetime) -> CatalogueImport:
    """Have the worker fetch the catalogue.

    Raises RoleNotAllowed, NotFound, or Refused without a margin or while one runs.
    """
    audit_log.check_role(Action.MANAGE_PROVIDERS, actor=actor)
    provider = provider_lock.lock(provider_id)
    if provider.margin_millionths is None:
        raise ActionRefused("Set the margin first, so that nothing is sold at cost.")
    make_way(provider_id, now=now)
    asked = CatalogueImport(
        provider_id=provider_id, state=ImportState.ASKED, actor=actor, asked_at=now, due_at=now, done=0, total=0
    )
    db.session.add(asked)
    db.session.flush()
    return asked


def make_way(provider_id: int, *, now: datetime) -> None:
    """Drop the provider's open preview for a newer import, and delete old ones. Raises Refused while one runs."""
    provider_lock.lock_idle(provider_id)
    before = latest(provider_id)
    if before is not None and before.state == ImportState.READY:
        _end(before, ImportState.DROPPED, now=now)
    _forget_old(provider_id)


def _forget_old(provider_id: int) -> None:
    """Delete old imports, except for one that can still be undone."""
    ids = select(CatalogueImport.id).where(CatalogueImport.provider_id == provider_id)
    kept = db.session.scalars(ids.order_by(CatalogueImport.id.desc()).limit(KEPT_IMPORTS)).all()
    if len(kept) == KEPT_IMPORTS:
        has_tools = select(ImportedTool.id).where(ImportedTool.import_id == CatalogueImport.id).exists()
        of_provider = (CatalogueImport.provider_id == provider_id, CatalogueImport.id < kept[-1])
        db.session.execute(delete(CatalogueImport).where(*of_provider, ~has_tools))


def due(*, now: datetime) -> list[int]:
    """Providers with an import for the worker."""
    return list(db.session.scalars(select(CatalogueImport.provider_id).where(CatalogueImport.due_at <= now)))


def take(provider_id: int, *, now: datetime) -> tuple[int, ImportState] | None:
    """Lease the provider's due import; None if another worker has it."""
    is_due = (CatalogueImport.provider_id == provider_id, CatalogueImport.due_at <= now)
    oldest = select(CatalogueImport).where(*is_due).order_by(CatalogueImport.id).limit(1)
    found: CatalogueImport | None = db.session.scalar(lock_rows(oldest, skip_locked=True))
    if found is None:
        return None
    found.due_at = now + LEASE
    db.session.flush()
    return found.id, ImportState(found.state)


def keep(import_id: int, answer: list[object], *, balance_currency: str, now: datetime) -> None:
    """Keep the usable rows for the preview. Raises Refused without one, or where the currency has no rate."""
    found = held(import_id)
    if found.state != ImportState.ASKED:
        return
    found.currency = provider_markup.currency_of(answer, balance_currency=balance_currency)
    markup_of(found)
    rows, skipped = provider_rows.read(answer)
    if not rows:
        raise ActionRefused("The provider’s catalogue has no service that can be sold.")
    found.rows = json.dumps([asdict(row) for row in rows], ensure_ascii=False, separators=(",", ":"))
    more = len(skipped) - MAX_SKIPPED_SENTENCES
    listed = skipped[:MAX_SKIPPED_SENTENCES] + ([f"And {more:,} more rows."] if more > 0 else [])
    found.skipped = json.dumps(listed, ensure_ascii=False)
    found.state, found.fetched_at, found.due_at = ImportState.READY, now, None
    db.session.flush()


def fail(import_id: int, problem: str, *, now: datetime) -> None:
    """End an import that can't go on. What it has changed until then can be undone."""
    found = held(import_id)
    if ImportState(found.state).is_worked_on:
        found.problem = problem[:500]
        _end(found, ImportState.FAILED, now=now)


def rows_of(found: CatalogueImport) -> list[ProviderRow]:
    return [ProviderRow(**row) for row in json.loads(found.rows or "[]")]


def skipped_of(found: CatalogueImport) -> list[str]:
    sentences: list[str] = json.loads(found.skipped or "[]")
    return sentences


def markup_of(found: CatalogueImport) -> Markup:
    """The provider's price rules for this catalogue. Raises Refused where its currency has no rate."""
    provider = db.session.get_one(Provider, found.provider_id)
    return provider_markup.choose(
        provider,
        margin_millionths=None,
        exchange_nanos=None,
        catalogue_currency=found.currency,
        our_currency=app_context.settings().currency,
    )


def preview(found: CatalogueImport, *, now: datetime) -> ImportPlan:
    """Preview of importing the whole catalogue now."""
    return planning.plan(
        rows_of(found),
        known=known_tools.of_provider(found.provider_id),
        provider_id=found.provider_id,
        markup=markup_of(found),
        slugs=set(db.session.scalars(select(Tool.slug))),
        keeps_names=found.is_scheduled,
        now=now,
    )


def apply(import_id: int, services: Collection[str], *, actor: str, now: datetime) -> CatalogueImport:
    """Have the worker import these services, and hide each tool whose service may be another one.

    Raises Refused while an import runs, if nothing is chosen, or if the import was applied, dropped or displaced.
    """
    found = _held_alone(import_id)
    if found.state != ImportState.READY:
        raise ActionRefused("This preview is no longer current. Get the catalogue again.")
    planned = preview(found, now=now).rows
    wanted = [
        each.service
        for each in planned
        if each.kind == RowKind.REPLACED or (each.kind.does_something and each.service in services)
    ]
    if not wanted:
        raise BadInput("Choose at least one row that changes something.", field="service")
    forget_tools(found.provider_id)
    found.chosen, found.actor = json.dumps(wanted), actor
    found.state, found.done, found.total, found.due_at = ImportState.APPLYING, 0, len(wanted), now
    _log("providers import", found, f"{len(wanted)} rows chosen", actor=actor, now=now)
    return found


def forget_tools(provider_id: int) -> None:
    """Only the last import can be undone."""
    imports = select(CatalogueImport.id).where(CatalogueImport.provider_id == provider_id)
    db.session.execute(delete(ImportedTool).where(ImportedTool.import_id.in_(imports)))


def drop(import_id: int, *, now: datetime) -> None:
    """Drop a fetched catalogue. Raises Refused once it is applied."""
    found = held(import_id)
    if found.state != ImportState.READY:
        raise ActionRefused("This preview is no longer current.")
    _end(found, ImportState.DROPPED, now=now)


def undo(import_id: int, *, actor: str, now: datetime) -> CatalogueImport:
    """Have the worker undo the import, and end the schedule, which would soon make the same changes again.

    Raises Refused while an import runs, or if this one can't be undone.
    """
    found = _held_alone(import_id)
    if not can_undo(found):
        raise ActionRefused("This import can’t be undone: it is undone already, or another one came after it.")
    total = db.session.scalar(select(func.count(ImportedTool.id)).where(ImportedTool.import_id == import_id)) or 0
    found.state, found.done, found.total, found.due_at = ImportState.UNDOING, 0, total, now
    found.left_alone = 0
    _log("providers undo import", found, f"{total} tools", actor=actor, now=now)
    provider = db.session.get_one(Provider, found.provider_id)
    if provider.import_hours is not None:
        detail = f"no schedule, as an import is undone; it was every {provider.import_hours} hours"
        provider.import_hours = provider.import_due_at = None
        _log("providers schedule", found, detail, actor=actor, now=now)
    return found


def finish(found: CatalogueImport, state: ImportState, *, now: datetime) -> None:
    """End an import that is done."""
    _end(found, state, now=now)


def _end(found: CatalogueImport, state: ImportState, *, now: datetime) -> None:
    found.state, found.ended_at, found.due_at = state, now, None
    found.rows = found.chosen = found.skipped = ""
    db.session.flush()


def held(import_id: int) -> CatalogueImport:
    """The import, locked until the transaction ends."""
    found: CatalogueImport = db.session.scalars(
        lock_rows(select(CatalogueImport).where(CatalogueImport.id == import_id)),
        execution_options={"populate_existing": True},
    ).one()
    return found


def _held_alone(import_id: int) -> CatalogueImport:
    """The import, locked after its provider. Raises Refused while an import of this provider is worked on."""
    of_import = select(CatalogueImport.provider_id).where(CatalogueImport.id == import_id)
    provider_lock.lock_idle(db.session.scalars(of_import).one())
    return held(import_id)


def chosen_of(found: CatalogueImport) -> Sequence[str]:
    services: list[str] = json.loads(found.chosen or "[]")
    return services


def _log(action: str, found: CatalogueImport, detail: str, *, actor: str, now: datetime) -> None:
    db.session.flush()
    name = db.session.get_one(Provider, found.provider_id).name
    audit_log.write(action, actor=actor, subject=f"provider {name}", detail=detail, now=now)
