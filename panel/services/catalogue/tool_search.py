"""Tool search: the tools that customers see, by words, category and refill, in pages, however large the catalogue is.

Numbers of tools are found and sorted in `search_index.py`, and only the tools of one page are read from the database.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import bindparam, func, or_, select

from panel.db import db
from panel.models import Tool
from panel.services.catalogue import search_index
from panel.services.catalogue.customer_prices import PriceList
from panel.services.catalogue.search_index import IndexEntry, SearchIndex
from panel.services.catalogue.tools import OFFERS, ToolOffer, to_offer

PAGE = 20
# Further words narrow nothing that a person reads.
MAX_WORDS = 8
MAX_LENGTH = 100
# Tools are read in blocks: tools that can't be ordered are skipped, and the page is still full.
_BLOCK = 100


@dataclass(frozen=True, slots=True)
class ToolFilter:
    """Filter of tools. `only` and `without` are numbers of tools, such as a customer's favorites."""

    words: str = ""
    category: str = ""
    has_refill: bool | None = None
    by_price: bool = False
    only: frozenset[int] | None = None
    without: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class ToolPage:
    """One page of tools, and where the next one starts; None on the last page."""

    tools: tuple[ToolOffer, ...]
    next_start: int | None


def search(
    wanted: ToolFilter, *, prices: PriceList, start: int = 0, most: int = PAGE, index: SearchIndex | None = None
) -> ToolPage:
    """The tools that match, from this place on: by category and name, those that match in their name first; or by
    price.

    The tools come at the prices of this list. `index`: the current one, if it has been read already.
    """
    matching = _matching(wanted, prices, (index or search_index.current()).entries)
    found: list[ToolOffer] = []
    place = start
    while block := matching[place : place + (max(most + 1, _BLOCK) if found else most + 1)]:
        for offer in _offers(block):
            if offer is not None and offer.is_offered:
                if len(found) == most:
                    return ToolPage(tuple(found), place)
                found.append(prices.of(offer))
            place += 1
    return ToolPage(tuple(found), None)


def slugs_named(names: Collection[str]) -> dict[str, list[str]]:
    """The short names of the tools meant by each text: a short name, a number, or a name in any case.

    A text that two tools are called has both, and one that no tool is called is missing. Hidden tools are meant only
    where no other is called so.
    """
    wanted = {name: name.lower() for name in names}
    numbers = [int(name) for name in names if name.isascii() and name.isdigit() and len(name) <= 18]
    rows = db.session.execute(
        select(Tool.id, Tool.slug, Tool.name, Tool.is_hidden).where(
            or_(
                Tool.slug.in_(set(wanted.values())),
                Tool.id.in_(numbers),
                Tool.name.in_(names),
                func.lower(Tool.name).in_(set(wanted.values())),
            ),
        )
    ).all()
    found = {}
    for name, lower in wanted.items():
        ranks = (
            [row for row in rows if row.slug == lower],
            [row for row in rows if str(row.id) == name.lstrip("0")],
            [row for row in rows if row.name.lower() == lower],
        )
        called = next((rank for rank in ranks if rank), [])
        slugs = [row.slug for row in called if not row.is_hidden] or [row.slug for row in called]
        if slugs:
            found[name] = slugs
    return found


# One statement for all requests: SQLAlchemy computes the key of each new one, which costs more than running it.
_OFFERS_BY_ID = OFFERS.where(Tool.id.in_(bindparam("tool_ids", expanding=True)))


def _offers(tool_ids: Collection[int]) -> list[ToolOffer | None]:
    """These tools in this order."""
    by_id = {row[0]: to_offer(row) for row in db.session.execute(_OFFERS_BY_ID, {"tool_ids": tool_ids})}
    return [by_id.get(tool_id) for tool_id in tool_ids]


def _price(prices: PriceList, entry: IndexEntry) -> int:
    return prices.price(entry.tool_id, entry.price_micros_per_thousand, is_package=entry.is_package)


def _matching(wanted: ToolFilter, prices: PriceList, entries: Sequence[IndexEntry]) -> list[int]:
    """The numbers of the tools that match, sorted. One pass for each condition that is set: most searches have one."""
    words = wanted.words[:MAX_LENGTH].lower().split()[:MAX_WORDS]
    if wanted.category:
        entries = [entry for entry in entries if entry.category == wanted.category]
    if wanted.has_refill is not None:
        entries = [entry for entry in entries if entry.has_refill == wanted.has_refill]
    if wanted.only is not None:
        entries = [entry for entry in entries if entry.tool_id in wanted.only]
    if wanted.without:
        entries = [entry for entry in entries if entry.tool_id not in wanted.without]
    for word in words:
        entries = [entry for entry in entries if word in entry.text or word == str(entry.tool_id)]
    if wanted.by_price:
        entries = sorted(entries, key=partial(_price, prices))
    elif words:
        # Those whose name has the word come first.
        first = words[0]
        entries = [
            *(entry for entry in entries if first in entry.name),
            *(entry for entry in entries if first not in entry.name),
        ]
    return [entry.tool_id for entry in entries]
