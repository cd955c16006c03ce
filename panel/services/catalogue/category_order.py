"""Order of the categories, as operators set it: those without a place come after, by name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, func, insert, select, update

from panel.db import db, lock_rows, table_of
from panel.domain.errors import ActionRefused, NotFound
from panel.models import Catalogue, CategoryPlace, Tool
from panel.services import audit_log, test_orders

PLACES = table_of(CategoryPlace)


class CategoryMove(StrEnum):
    """Where an operator moves a category."""

    UP = "up"
    DOWN = "down"
    TOP = "top"


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A category in its order, with its number of tools. `place` is None where it comes by name."""

    name: str
    place: int | None
    tools: int
    hidden: int


def places() -> Mapping[str, int]:
    """The categories that have a place, first ones first."""
    rows = db.session.execute(select(PLACES.c.category, PLACES.c.place).order_by(PLACES.c.place))
    return {row.category: row.place for row in rows}


def rank(category: str, at: Mapping[str, int]) -> tuple[bool, int]:
    """Sort key of a category; equal for all without a place."""
    place = at.get(category)
    return place is None, place or 0


def in_order(categories: Iterable[str], at: Mapping[str, int]) -> list[str]:
    """These categories in the order that customers see."""
    return sorted(categories, key=lambda name: (*rank(name, at), name))


def listed() -> list[CategoryRow]:
    """Every category of the catalogue in its order, also those whose tools are all hidden."""
    hidden = func.count().filter(Tool.is_hidden.is_(True))
    rows = db.session.execute(
        select(Tool.category, func.count(), hidden).where(Tool.slug != test_orders.TOOL_SLUG).group_by(Tool.category)
    )
    counts = {name: (tools, unseen) for name, tools, unseen in rows}
    at = places()
    return [CategoryRow(name, at.get(name), *counts[name]) for name in in_order(counts, at)]


def move(category: str, how: CategoryMove, *, actor: str, now: datetime) -> int:
    """Move a category, and return its new place. Raises NotFound, or Refused where it is there already."""
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    rows = listed()
    names = [row.name for row in rows]
    if category not in names:
        raise NotFound("No tool has this category any more. Nothing was changed.")
    was = names.index(category)
    goes_to = {CategoryMove.UP: was - 1, CategoryMove.DOWN: was + 1, CategoryMove.TOP: 0}[how]
    if goes_to == was or not 0 <= goes_to < len(names):
        raise ActionRefused(f"This category is the {'last' if how == CategoryMove.DOWN else 'first'} one already.")
    names.insert(goes_to, names.pop(was))
    placed = sum(row.place is not None for row in rows)
    # Those above it get a place too: what came there by name must not move when a category is added.
    _store(names[: max(placed + (was >= placed), goes_to + 1)])
    _note(category, f"place {was + 1} → {goes_to + 1}", actor=actor, now=now)
    return goes_to + 1


def sort_by_name(*, actor: str, now: datetime) -> None:
    """Take the places of all categories away. Raises Refused if none has one."""
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    if not places():
        raise ActionRefused("All categories are in the order of their names already.")
    _store([])
    _note("all", "by name", actor=actor, now=now)


def _store(names: list[str]) -> None:
    db.session.execute(delete(PLACES))
    if names:
        db.session.execute(
            insert(PLACES), [{"category": name, "place": place} for place, name in enumerate(names, start=1)]
        )
    db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))


def _note(category: str, detail: str, *, actor: str, now: datetime) -> None:
    audit_log.write("tools category order", actor=actor, subject=f"category {category}", detail=detail, now=now)
