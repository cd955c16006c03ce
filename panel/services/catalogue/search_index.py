"""Search index of the catalogue, in memory: one short entry a visible tool, read once for each catalogue version.

Every change of a tool bumps the catalogue's version, so an entry is never older than the page that shows it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.db.lru_cache import LRUCache
from panel.domain.forms.own_fields import form_of
from panel.models import Terms, Tool
from panel.services.catalogue import category_order, tools

# One for each database, and the one before.
MAX_INDEXES = 4


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """Entry of the index: what is searched and sorted by; name and text are in lower case."""

    tool_id: int
    name: str
    text: str
    category: str
    has_refill: bool
    price_micros_per_thousand: int
    is_package: bool


@dataclass(frozen=True, slots=True)
class SearchIndex:
    """The visible tools and their categories, and when one of them last changed.

    Both are in the order of the categories that operators set; tools of one category, and all without a place, by name.
    """

    entries: tuple[IndexEntry, ...]
    categories: tuple[str, ...]
    has_places: bool
    changed_at: datetime | None


_indexes: LRUCache[tuple[str, int], SearchIndex] = LRUCache(MAX_INDEXES)


def current() -> SearchIndex:
    """The index of the catalogue as it is now."""
    return _indexes.get_or_make((str(db.engine.url), tools.version()), _read)


def _read() -> SearchIndex:
    rows = db.session.execute(
        select(
            Tool.id,
            Tool.name,
            Tool.category,
            Tool.summary,
            Tool.slug,
            Terms.refill_days,
            Terms.price_micros_per_thousand,
            Terms.order_type,
            Terms.quantity_rule,
            Terms.own_fields,
            Tool.changed_at,
        )
        .join(Terms, Terms.id == Tool.terms_id)
        .where(Tool.is_hidden.is_(False))
        .order_by(Tool.name, Tool.id)
    ).all()
    places = category_order.places()
    entries = (
        IndexEntry(
            tool_id,
            name.lower(),
            f"{name}\n{category}\n{summary}\n{slug}".lower(),
            category,
            refill_days is not None,
            price,
            form_of(*form).is_package,
        )
        for tool_id, name, category, summary, slug, refill_days, price, *form, _changed_at in rows
    )
    sorted_entries = tuple(sorted(entries, key=lambda entry: category_order.rank(entry.category, places)))
    categories = tuple(category_order.in_order({entry.category for entry in sorted_entries}, places))
    changed_at = max((row.changed_at for row in rows), default=None)
    return SearchIndex(sorted_entries, categories, not places.keys().isdisjoint(categories), changed_at)
