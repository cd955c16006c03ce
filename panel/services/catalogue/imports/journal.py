"""Journal of an import: its counts, and each changed tool as it was before, which undoing restores."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from panel.db import db, table_of
from panel.models import CatalogueImport, ImportedTool, ImportState, Tool
from panel.services.catalogue import import_writing
from panel.services.catalogue.imports import lifecycle
from panel.services.catalogue.imports.import_row import RowKind
from panel.services.catalogue.imports.planning import ImportPlan, PlannedRow

TOOLS = table_of(Tool)
ROWS_AT_ONCE = 500


def record(provider_id: int, planned: ImportPlan, *, currency: str, actor: str, now: datetime) -> CatalogueImport:
    """Record an import that was written in one transaction, so that it can be undone as one of the office.

    Raises Refused while another import of this provider runs.
    """
    lifecycle.make_way(provider_id, now=now)
    found = CatalogueImport(
        provider_id=provider_id,
        state=ImportState.APPLIED,
        actor=actor,
        asked_at=now,
        fetched_at=now,
        ended_at=now,
        currency=currency,
        **dict.fromkeys(("done", "total"), sum(each.kind.does_something for each in planned.rows)),
        **dict.fromkeys(("added", "changed", "hidden", "left_alone"), 0),
    )
    db.session.add(found)
    db.session.flush()
    if _written(planned):
        lifecycle.forget_tools(provider_id)
    write(found, planned, now=now)
    db.session.flush()
    return found


def write(found: CatalogueImport, planned: ImportPlan, *, now: datetime) -> None:
    """Keep what the tools of a written plan were, and count them."""
    written = _written(planned)
    for start in range(0, len(written), ROWS_AT_ONCE):
        _write(found.id, written[start : start + ROWS_AT_ONCE], now=now)
    found.added += len(planned.of(RowKind.ADDED))
    found.changed += len(planned.of(RowKind.CHANGED, RowKind.RENAMED, RowKind.RETURNED))
    found.hidden += len(planned.of(RowKind.VANISHED, RowKind.REPLACED))


def _written(planned: ImportPlan) -> list[PlannedRow]:
    return [each for each in planned.rows if each.new is not None or each.change is not None]


def _write(import_id: int, written: list[PlannedRow], *, now: datetime) -> None:
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
