"""Writes an import of a provider's catalogue: thousands of tools and terms in few statements."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from panel.db import db, table_of
from panel.models import Catalogue, Terms, Tool
from panel.services.catalogue.file_format import TermsWritten
from panel.services.catalogue.tools import TERMS_WORDS

ROWS_AT_ONCE = 500
FOLLOWED = (
    *("name", "category", "summary", "is_hidden", "set_by_hand"),
    *("provider_rate_micros", "provider_rate", "provider_name", "provider_category"),
)

TOOLS = table_of(Tool)
TERMS = table_of(Terms)


def as_it_is(tool: Any) -> dict[str, Any]:
    return {"slug": tool.slug} | {name: getattr(tool, name) for name in FOLLOWED}


def write(
    new: list[dict[str, Any]],
    terms: list[tuple[str, int, TermsWritten]],
    changes: list[dict[str, Any]],
    *,
    on_progress: Callable[[int, int], None],
    now: datetime,
) -> None:
    """Write all changes in few statements, and bump the catalogue's version."""
    if not new and not terms and not changes:
        return
    for some in _some(new):
        db.session.execute(insert(TOOLS), some)
    called = select(TOOLS.c.slug, TOOLS.c.id.label("tool_id"), *(TOOLS.c[word] for word in sorted(TERMS_WORDS)))
    tools = {row.slug: dict(row._mapping) for row in db.session.execute(called)}
    for change in changes:
        tools[change["slug"]] |= {word: change[word] for word in TERMS_WORDS & change.keys()}
    done = 0
    for some_terms in _some(terms):
        rows = [
            {**_without_slug(tools[slug]), "version": version, "since": now, **asdict(each)}
            for slug, version, each in some_terms
        ]
        made = db.session.execute(insert(TERMS).returning(TERMS.c.id, TERMS.c.tool_id), rows).all()
        held = [{"b_tool": row.tool_id, "b_terms": row.id} for row in made]
        db.session.execute(
            update(TOOLS).where(TOOLS.c.id == bindparam("b_tool")).values(terms_id=bindparam("b_terms")), held
        )
        done += len(rows)
        on_progress(done, len(terms))
    follow = update(TOOLS).where(TOOLS.c.slug == bindparam("b_slug"))
    values: dict[Any, Any] = {TOOLS.c[name]: bindparam(f"b_{name}") for name in FOLLOWED}
    for some_changes in _some(changes):
        rows = [{f"b_{name}": value for name, value in change.items()} for change in some_changes]
        db.session.execute(follow.values({**values, TOOLS.c.changed_at: now}), rows)
    db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))


def _without_slug(tool: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tool.items() if name != "slug"}


def _some(rows: list[Any]) -> Iterable[list[Any]]:
    return _slices(rows) if rows else ()


def _slices(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE]
