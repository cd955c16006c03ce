"""Undo an import in steps: tools get what they had before, new ones are hidden, and tools changed since stay."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from panel.db import db, lock_rows, table_of
from panel.domain.errors import ActionRefused
from panel.models import Catalogue, ImportedTool, ImportState, Terms
from panel.services.catalogue import import_writing
from panel.services.catalogue.file_format import TermsWritten
from panel.services.catalogue.imports import known_tools, lifecycle

TOOLS_A_STEP = 500
TERMS = table_of(Terms)


def undo_some(import_id: int, *, now: datetime) -> bool:
    """Restore the next tools; returns whether more are left. Raises Refused where it isn't known what they were."""
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    found = lifecycle.held(import_id)
    if found.state != ImportState.UNDOING:
        return False
    journal = select(ImportedTool).where(ImportedTool.import_id == import_id).order_by(ImportedTool.id)
    some = db.session.scalars(journal.offset(found.done).limit(TOOLS_A_STEP)).all()
    if not some and found.done < found.total:
        raise ActionRefused(
            f"What {found.total - found.done:,} tools were before the import is no longer known. "
            "They keep the prices and limits that they have now."
        )
    present = known_tools.by_ids([each.tool_id for each in some])
    before = _terms([each.terms_id for each in some if each.terms_id is not None])
    terms: list[tuple[str, int, TermsWritten]] = []
    changes: list[dict[str, Any]] = []
    for each in some:
        known = present[each.tool_id]
        if known.tool.changed_at != each.at:
            found.left_alone += 1
            continue
        if not each.was:
            by_hand = " ".join(sorted({*known.by_hand, "hidden"}))
            changes.append(import_writing.as_it_is(known.tool) | {"is_hidden": True, "set_by_hand": by_hand})
            continue
        changes.append(import_writing.as_it_is(known.tool) | json.loads(each.was) | {"slug": known.tool.slug})
        if each.terms_id is not None and each.terms_id != known.tool.terms_id:
            terms.append((known.tool.slug, known.version + 1, before[each.terms_id]))
    import_writing.write([], terms, changes, on_progress=lambda done, of: None, now=now)
    found.done += len(some)
    found.due_at = now + lifecycle.LEASE
    if found.done < found.total:
        db.session.flush()
        return True
    db.session.execute(delete(ImportedTool).where(ImportedTool.import_id == import_id))
    lifecycle.finish(found, ImportState.UNDONE, now=now)
    return False


def _terms(ids: list[int]) -> dict[int, TermsWritten]:
    """The terms that tools had before, by their id."""
    columns = [TERMS.c[name] for name in TermsWritten.__slots__]
    rows = db.session.execute(select(TERMS.c.id, *columns).where(TERMS.c.id.in_(ids)))
    return {row[0]: TermsWritten(*row[1:]) for row in rows}
