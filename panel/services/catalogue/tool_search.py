"""Tool search: the tools that customers see, by words, category and refill, in pages, however large the catalogue is.

Numbers of tools are found and sorted first, and only the tools of one page are read whole.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, case, func, or_, select

from panel.db import db
from panel.models import Terms, Tool
from panel.services.catalogue.tools import OFFERS, ToolOffer, to_offer

PAGE = 20
# Further words narrow nothing that a person reads.
MOST_WORDS = 8
MOST_LENGTH = 100
# Rows are read in blocks: tools that can't be ordered are skipped, and the page is still full.
_BLOCK = 100
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ToolFilter:
    """What is asked for. `only` and `without` are numbers of tools, such as a customer's favorites."""

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


def search(wanted: ToolFilter, *, start: int = 0, most: int = PAGE) -> ToolPage:
    """The tools that match, from this place on: by name, those that match in their name first; or by price."""
    statement = _matching(wanted)
    found: list[ToolOffer] = []
    place = start
    while True:
        tool_ids = db.session.scalars(statement.offset(place).limit(max(most + 1, _BLOCK) if found else most + 1)).all()
        for offer in _offers(tool_ids):
            if offer is not None and offer.is_offered:
                if len(found) == most:
                    return ToolPage(tuple(found), place)
                found.append(offer)
            place += 1
        if len(tool_ids) < most + 1:
            return ToolPage(tuple(found), None)


def slugs_named(names: Collection[str]) -> dict[str, list[str]]:
    """The short names of the tools meant by each text: a short name, a number, or a name in any case.

    A text that two tools are called has both, and one that no tool is called is missing.
    """
    wanted = {name: name.lower() for name in names}
    numbers = [int(name) for name in names if name.isascii() and name.isdigit() and len(name) <= 18]
    rows = db.session.execute(
        select(Tool.id, Tool.slug, Tool.name).where(
            Tool.is_hidden.is_(False),
            or_(
                Tool.slug.in_(set(wanted.values())),
                Tool.id.in_(numbers),
                Tool.name.in_(names),
                func.lower(Tool.name).in_(set(wanted.values())),
            ),
        )
    ).all()
    found: dict[str, list[str]] = {}
    for name, lower in wanted.items():
        by_rank = (
            [slug for _id, slug, _name in rows if slug == lower],
            [slug for tool_id, slug, _name in rows if str(tool_id) == name.lstrip("0")],
            [slug for _id, slug, called in rows if called.lower() == lower],
        )
        slugs = next((slugs for slugs in by_rank if slugs), None)
        if slugs:
            found[name] = slugs
    return found


def _offers(tool_ids: Collection[int]) -> list[ToolOffer | None]:
    """These tools in this order."""
    by_id = {row[0]: to_offer(row) for row in db.session.execute(OFFERS.where(Tool.id.in_(tool_ids)))}
    return [by_id.get(tool_id) for tool_id in tool_ids]


def _matching(wanted: ToolFilter) -> Select[int]:
    """The numbers of the tools that match, sorted."""
    statement = select(Tool.id).where(Tool.is_hidden.is_(False), Tool.terms_id.is_not(None))
    if wanted.by_price or wanted.has_refill is not None:
        statement = statement.join(Terms, Terms.id == Tool.terms_id)
    if wanted.category:
        statement = statement.where(Tool.category == wanted.category)
    if wanted.has_refill is not None:
        has_days = Terms.refill_days.is_not(None)
        statement = statement.where(has_days if wanted.has_refill else ~has_days)
    if wanted.only is not None:
        statement = statement.where(Tool.id.in_(wanted.only))
    if wanted.without:
        statement = statement.where(Tool.id.not_in(wanted.without))
    words = wanted.words[:MOST_LENGTH].split()[:MOST_WORDS]
    for word in words:
        statement = statement.where(_has_word(word))
    if wanted.by_price:
        return statement.order_by(Terms.price_micros_per_thousand, Tool.name, Tool.id)
    if words:
        in_name = Tool.name.icontains(words[0], autoescape=True)
        return statement.order_by(case((in_name, 0), else_=1), Tool.name, Tool.id)
    return statement.order_by(Tool.name, Tool.id)


def _has_word(word: str) -> ColumnElement[bool]:
    columns = (Tool.name, Tool.category, Tool.summary, Tool.slug)
    anywhere = or_(*(column.icontains(word, autoescape=True) for column in columns))
    is_number = word.isascii() and word.isdigit() and int(word) <= _LARGEST_ID
    return or_(anywhere, Tool.id == int(word)) if is_number else anywhere
