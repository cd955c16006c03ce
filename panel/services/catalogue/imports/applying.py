"""Apply a chosen import in steps, each a transaction that plans its rows again: what was set by hand since stays."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from panel.db import db, lock_rows, table_of
from panel.models import Catalogue, CatalogueImport, ImportedTool, ImportState, Provider, Tool
from panel.services.catalogue import import_writing, provider_markup
from panel.services.catalogue.imports import known_tools, lifecycle, planning
from panel.services.catalogue.imports.import_row import RowKind
from panel.services.catalogue.imports.planning import ImportPlan, PlannedRow

ROWS_A_STEP = 500
TOOLS = table_of(Tool)


def apply_some(import_id: int, *, now: datetime) -> bool:
    """Import the next services; returns whether more are left. Raises Refused where the currency has no rate."""
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    found = lifecycle.held(import_id)
    if found.state != ImportState.APPLYING:
        return False
    services = lifecycle.chosen_of(found)[found.done : found.done + ROWS_A_STEP]
    wanted = set(services)
    markup = lifecycle.markup_of(found)
    planned = planning.plan(
        [row for row in lifecycle.rows_of(found) if row.service in wanted],
        known=known_tools.of_provider(found.provider_id, services=services),
        provider_id=found.provider_id,
        markup=markup,
        slugs=set(db.session.scalars(select(Tool.slug))),
        keeps_names=found.is_scheduled,
        now=now,
    )
    planned.write(now=now)
    _remember(found.id, planned, now=now)
    _count(found, planned)
    found.done += len(services)
    found.due_at = now + lifecycle.LEASE
    if found.done < found.total:
        db.session.flush()
        return True
    provider_markup.remember(db.session.get_one(Provider, found.provider_id), markup)
    lifecycle.finish(found, ImportState.APPLIED, now=now)
    return False


def _remember(import_id: int, planned: ImportPlan, *, now: datetime) -> None:
    """Keep what the tools were, for undoing the import."""
    written = [each for each in planned.rows if each.new is not None or each.change is not None]
    if not written:
        return
    slugs = [each.slug for each in written]
    ids = {
        row.slug: row.id for row in db.session.execute(select(TOOLS.c.slug, TOOLS.c.id).where(TOOLS.c.slug.in_(slugs)))
    }
    rows = [{"import_id": import_id, "tool_id": ids[each.slug], "at": now, **_was(each)} for each in written]
    db.session.execute(insert(table_of(ImportedTool)), rows)


def _was(each: PlannedRow) -> dict[str, Any]:
    if each.present is None:
        return {"was": "", "terms_id": None}
    columns = import_writing.as_it_is(each.present.tool)
    return {"was": json.dumps(columns, ensure_ascii=False), "terms_id": each.present.tool.terms_id}


def _count(found: CatalogueImport, planned: ImportPlan) -> None:
    found.added += len(planned.of(RowKind.ADDED))
    found.changed += len(planned.of(RowKind.CHANGED, RowKind.RENAMED, RowKind.RETURNED))
    found.hidden += len(planned.of(RowKind.VANISHED, RowKind.REPLACED))
