"""The catalogue: tools with their present terms, the log of their terms, and how a file of tools becomes rows.

An offer is a tool with the terms that hold now, read in one query and never changed. Terms are only ever
added: an order keeps the version under which it was placed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, select

from panel.db import db
from panel.domain import pricing
from panel.domain.status import FIRST, Status
from panel.models import Catalogue, Provider, Terms, Tool

MOST_IDS_ASKED = 500


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool as it can be ordered now: what it is, its present terms, and who delivers."""

    tool_id: int
    slug: str
    name: str
    category: str
    summary: str
    unit: str
    is_hidden: bool
    changed_at: datetime
    terms_id: int
    terms_version: int
    price_micros_per_thousand: int
    minimum: int
    maximum: int
    link_pattern: str
    link_example: str
    link_counter_example: str
    link_hint: str
    refill_days: int | None
    can_cancel: bool
    provider_id: int
    provider_name: str
    provider_kind: str
    provider_service: str

    @property
    def can_refill(self) -> bool:
        return self.refill_days is not None

    @property
    def least_charge_nanos(self) -> int:
        """What the smallest order of this tool costs."""
        return self.charge_nanos(self.minimum)

    def charge_nanos(self, quantity: int) -> int:
        return pricing.charge_nanos(
            quantity=quantity, price_micros_per_thousand=self.price_micros_per_thousand
        )


@dataclass(frozen=True, slots=True)
class TermsVersion:
    """One version of a tool's terms, with the moment from which it held."""

    terms_id: int
    version: int
    since: datetime
    price_micros_per_thousand: int
    minimum: int
    maximum: int
    link_pattern: str
    link_example: str
    link_counter_example: str
    link_hint: str
    refill_days: int | None
    can_cancel: bool


_OFFER: Select[Any] = (
    select(
        Tool.id,
        Tool.slug,
        Tool.name,
        Tool.category,
        Tool.summary,
        Tool.unit,
        Tool.is_hidden,
        Tool.changed_at,
        Terms.id,
        Terms.version,
        Terms.price_micros_per_thousand,
        Terms.minimum,
        Terms.maximum,
        Terms.link_pattern,
        Terms.link_example,
        Terms.link_counter_example,
        Terms.link_hint,
        Terms.refill_days,
        Terms.can_cancel,
        Provider.id,
        Provider.name,
        Provider.kind,
        Tool.provider_service,
    )
    .join(Terms, Terms.id == Tool.terms_id)
    .join(Provider, Provider.id == Tool.provider_id)
)
_BY_SLUG = _OFFER.where(Tool.slug == bindparam("slug"))
_BY_ID = _OFFER.where(Tool.id == bindparam("tool_id"))
_VISIBLE = _OFFER.where(Tool.is_hidden.is_(False)).order_by(Tool.name, Tool.id)


def listed(*, category: str | None = None, refill: bool | None = None) -> list[ToolOffer]:
    """The tools that customers see, by name; of one category, and with or without refill, where asked."""
    statement = _VISIBLE
    if category is not None:
        statement = statement.where(Tool.category == category)
    if refill is not None:
        statement = statement.where(Terms.refill_days.is_not(None) if refill else Terms.refill_days.is_(None))
    return [_offer(row) for row in db.session.execute(statement)]


def listed_all() -> list[ToolOffer]:
    """Every tool, hidden ones too, by slug."""
    return [_offer(row) for row in db.session.execute(_OFFER.order_by(Tool.slug))]


def categories() -> list[str]:
    """The categories that have a tool customers see, by name."""
    statement = select(Tool.category).where(Tool.is_hidden.is_(False), Tool.terms_id.is_not(None)).distinct()
    return sorted(db.session.execute(statement).scalars())


def find(slug: str) -> ToolOffer | None:
    """The tool of this slug, if customers may see it."""
    found = find_any(slug)
    return None if found is None or found.is_hidden else found


def find_any(slug: str) -> ToolOffer | None:
    """The tool of this slug, hidden or not."""
    row = db.session.execute(_BY_SLUG, {"slug": slug}).first()
    return None if row is None else _offer(row)


def offer(tool_id: int) -> ToolOffer | None:
    """The tool of this number, hidden or not."""
    row = db.session.execute(_BY_ID, {"tool_id": tool_id}).first()
    return None if row is None else _offer(row)


def offers_by_ids(tool_ids: Iterable[int]) -> dict[int, ToolOffer]:
    """The tools of these numbers, hidden or not, by number; unknown numbers are left out."""
    wanted = set(tool_ids)
    if not wanted:
        return {}
    if len(wanted) > MOST_IDS_ASKED:
        raise ValueError(f"more than {MOST_IDS_ASKED} tools asked for at once")
    found = [_offer(row) for row in db.session.execute(_OFFER.where(Tool.id.in_(wanted)))]
    return {each.tool_id: each for each in found}


def terms_log(tool_id: int) -> list[TermsVersion]:
    """Every version of the tool's terms, newest first."""
    statement = select(
        Terms.id,
        Terms.version,
        Terms.since,
        Terms.price_micros_per_thousand,
        Terms.minimum,
        Terms.maximum,
        Terms.link_pattern,
        Terms.link_example,
        Terms.link_counter_example,
        Terms.link_hint,
        Terms.refill_days,
        Terms.can_cancel,
    ).where(Terms.tool_id == tool_id)
    return [TermsVersion(*row) for row in db.session.execute(statement.order_by(Terms.version.desc()))]


def version() -> int:
    """The catalogue's version: another number whenever a tool or its terms changed."""
    return db.session.execute(select(Catalogue.version)).scalar_one()


def statuses_of(tool: ToolOffer) -> tuple[Status, ...]:
    """The statuses an order of this tool can have: those of the table, Refill only where the terms offer it."""
    reached = {FIRST}
    waiting = [FIRST]
    while waiting:
        for status in waiting.pop().facts.next:
            if status not in reached and (status is not Status.REFILL or tool.can_refill):
                reached.add(status)
                waiting.append(status)
    return tuple(status for status in Status if status in reached)


def _offer(row: Sequence[Any]) -> ToolOffer:
    return ToolOffer(*row)
