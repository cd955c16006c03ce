"""Tools and their versioned terms: what is offered now, all versions, and importing a catalogue file.

Terms are append-only: an order keeps the version it was placed under.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, func, null, select, update

from panel.db import db, lock_rows, table_of
from panel.domain import links, pricing
from panel.domain.forms.with_form import WithForm
from panel.domain.provider_kind import ProviderKind
from panel.domain.status import FIRST, Status
from panel.models import Catalogue, Provider, Terms, Tool
from panel.services import test_orders
from panel.services.catalogue import file_format, route_fit, simulated_tools, yaml_fields
from panel.services.catalogue.file_format import TermsWritten, ToolWritten
from panel.services.providers import registry as provider_registry
from panel.settings import ROOT

ALL_BY_HAND = "cancel category form link maximum minimum name price_per_thousand refill_days summary"
TERMS_WORDS = frozenset({"name", "category", "unit"})  # a new name makes a new version of the terms
DEMO_FILE = ROOT / "content" / "tools" / "catalogue.yaml"
DEMO_PROVIDERS = {"simulator": ProviderKind.SIMULATED, "by-hand": ProviderKind.MANUAL}


@dataclass(frozen=True, slots=True)
class ToolOffer(WithForm):
    """A tool as it can be ordered now, with its current terms and provider."""

    tool_id: int
    slug: str
    name: str
    category: str
    summary: str
    unit: str
    is_hidden: bool
    changed_at: datetime
    is_cheapest_first: bool
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
    order_type: str
    quantity_rule: str
    own_fields: str
    provider_id: int
    provider_name: str
    provider_kind: str
    provider_paused_at: datetime | None
    provider_add_after: datetime | None
    provider_service: str

    @property
    def can_refill(self) -> bool:
        return self.refill_days is not None

    @property
    def link_fault(self) -> str:
        """Why the tool's link pattern is unusable, so that nobody can order it; empty if it is usable."""
        return links.stored_fault(self.link_pattern, self.link_example)

    @property
    def is_offered(self) -> bool:
        """Whether customers see it and can order it."""
        return not self.is_hidden and self.form.is_ready and not self.link_fault and simulated_tools.is_sold(self)

    @property
    def is_held_back(self) -> bool:
        """Whether new orders wait: the provider is paused, or probed with one order at a time."""
        return self.provider_paused_at is not None or self.provider_add_after is not None

    @property
    def is_simulated(self) -> bool:
        """Whether its orders are only simulated."""
        return self.provider_kind == ProviderKind.SIMULATED

    @property
    def minimum_charge_nanos(self) -> int:
        """The charge for the smallest order of this tool."""
        return self.charge_nanos(self.minimum)

    def charge_nanos(self, quantity: int) -> int:
        return pricing.charge_nanos(quantity=quantity, price_micros_per_thousand=self.price_micros_per_thousand)


@dataclass(frozen=True, slots=True)
class Imported:
    """Result of an import, by slug."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


TERMS_COLUMNS = (
    Terms.price_micros_per_thousand,
    Terms.minimum,
    Terms.maximum,
    Terms.link_pattern,
    Terms.link_example,
    Terms.link_counter_example,
    Terms.link_hint,
    Terms.refill_days,
    Terms.can_cancel,
    Terms.order_type,
    Terms.quantity_rule,
    Terms.own_fields,
)
_TOOL = (
    Tool.id,
    Tool.slug,
    Tool.name,
    Tool.category,
    Tool.summary,
    Tool.unit,
    Tool.is_hidden,
    Tool.changed_at,
    Tool.is_cheapest_first,
)
# A tool is not held back while another of its providers takes orders of it.
_PAUSED_AT = case(
    (and_(Provider.paused_at.is_not(None), route_fit.has_open_route(Tool.id)), null()), else_=Provider.paused_at
)
_PROVIDER = (Provider.id, Provider.name, Provider.kind, _PAUSED_AT, Provider.add_after, Tool.provider_service)
OFFER_COLUMNS = (*_TOOL, Terms.id, Terms.version, *TERMS_COLUMNS, *_PROVIDER)
OFFERS: Select[*tuple[Any, ...]] = (
    select(*OFFER_COLUMNS).join(Terms, Terms.id == Tool.terms_id).join(Provider, Provider.id == Tool.provider_id)
)
_BY_SLUG = OFFERS.where(Tool.slug == bindparam("slug"))
_BY_ID = OFFERS.where(Tool.id == bindparam("tool_id"))
_VISIBLE = OFFERS.where(Tool.is_hidden.is_(False)).order_by(Tool.name, Tool.id)


def listed(*, category: str | None = None, refill: bool | None = None) -> list[ToolOffer]:
    """Tools visible to customers, by name, optionally of one category, with or without refill."""
    statement = _VISIBLE
    if category is not None:
        statement = statement.where(Tool.category == category)
    if refill is not None:
        statement = statement.where(Terms.refill_days.is_not(None) if refill else Terms.refill_days.is_(None))
    return [tool for row in db.session.execute(statement) if (tool := to_offer(row)).is_offered]


def listed_all() -> list[ToolOffer]:
    """All tools by slug, with hidden ones, without the one for the panel's own test orders."""
    customers = OFFERS.where(Tool.slug != test_orders.TOOL_SLUG)
    return [to_offer(row) for row in db.session.execute(customers.order_by(Tool.slug))]


def find(slug: str) -> ToolOffer | None:
    """The tool with this slug, if it is visible to customers."""
    found = find_any(slug)
    return found if found is not None and found.is_offered else None


def find_any(slug: str) -> ToolOffer | None:
    """The tool with this slug, visible or hidden."""
    row = db.session.execute(_BY_SLUG, {"slug": slug}).first()
    return None if row is None else to_offer(row)


def offer(tool_id: int) -> ToolOffer | None:
    """The tool with this id, visible or hidden."""
    row = db.session.execute(_BY_ID, {"tool_id": tool_id}).first()
    return None if row is None else to_offer(row)


_VERSION = select(table_of(Catalogue).c.version)


def version() -> int:
    """Version of the catalogue, which changes with every tool and its terms."""
    found: int = db.session.execute(_VERSION).scalar_one()
    return found


def statuses_of(tool: ToolOffer) -> tuple[Status, ...]:
    """The statuses an order of this tool can have: Refill only if the terms include it; a package is never Partial."""
    left_out = {Status.PARTIAL} if tool.is_package else set()
    if not tool.can_refill:
        left_out.add(Status.REFILL)
    reached = {FIRST}
    waiting = [FIRST]
    while waiting:
        for status in waiting.pop().facts.next:
            if status not in reached | left_out:
                reached.add(status)
                waiting.append(status)
    return tuple(status for status in Status if status in reached)


def import_tools(data: bytes, *, name: str, now: datetime) -> Imported:
    """Import the tools of a catalogue file called `name`: all of them or none.

    New tools are added, changed ones updated, and changed terms become a new version; tools that the file doesn't name
    stay as they are. Raises BadCatalogue.
    """
    written = file_format.read(data, name=name)
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    provider_ids = _provider_ids(written, name=name)
    known = {tool.slug: tool for tool in db.session.execute(select(Tool)).scalars()}
    terms = {each.slug: terms_of(each) for each in listed_all()}

    did: dict[str, list[str]] = {"added": [], "changed": [], "unchanged": []}
    for each in written:
        tool = known.get(each.slug)
        if tool is None:
            _add(each, provider_id=provider_ids[each.provider], now=now)
            did["added"].append(each.slug)
        elif _change(tool, each, provider_id=provider_ids[each.provider], terms=terms.get(each.slug), now=now):
            did["changed"].append(each.slug)
        else:
            did["unchanged"].append(each.slug)

    if did["added"] or did["changed"]:
        db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))
    return Imported(**{word: tuple(slugs) for word, slugs in did.items()})


def import_demo(*, now: datetime) -> Imported:
    """Add the demo's two providers if missing, and import the demo's catalogue."""
    for provider, kind in DEMO_PROVIDERS.items():
        if provider_registry.find(provider) is None:
            provider_registry.add_provider(provider, kind=kind, now=now)
    return import_tools(DEMO_FILE.read_bytes(), name=DEMO_FILE.name, now=now)


def _provider_ids(written: list[ToolWritten], *, name: str) -> dict[str, int]:
    """Provider ids by name. Raises BadCatalogue at the first tool with an unknown provider."""
    ids = {provider.name: provider.id for provider in provider_registry.listed()}
    for tool in written:
        if tool.provider not in ids:
            raise yaml_fields.refusal(
                name, tool.provider_line, "provider", f"There is no provider called {tool.provider}."
            )
    return ids


def _add(written: ToolWritten, *, provider_id: int, now: datetime) -> None:
    tool = Tool(slug=written.slug, provider_id=provider_id, changed_at=now, **_plain_fields(written))
    db.session.add(tool)
    db.session.flush()
    tool.terms_id = next_terms(tool.id, written.terms, now=now)


def _change(tool: Tool, written: ToolWritten, *, provider_id: int, terms: TermsWritten | None, now: datetime) -> bool:
    """Update the tool from the file; returns whether anything differed, also what is set by hand."""
    wanted = {**_plain_fields(written), "provider_id": provider_id}
    differs = {field: value for field, value in wanted.items() if getattr(tool, field) != value}
    if tool.provider_rate_micros is not None:
        # A file counts as an operator's edit: the provider's list no longer changes this tool.
        by_hand = " ".join(sorted({*tool.set_by_hand.split(), *ALL_BY_HAND.split()}))
        differs |= {"set_by_hand": by_hand} if by_hand != tool.set_by_hand else {}
    for field, value in differs.items():
        setattr(tool, field, value)
    if terms != written.terms or differs.keys() & TERMS_WORDS:
        tool.terms_id = next_terms(tool.id, written.terms, now=now)
    elif not differs:
        return False
    tool.changed_at = now
    return True


def _plain_fields(written: ToolWritten) -> dict[str, str]:
    """The text columns of a tool that a file sets and that aren't terms."""
    return {field: getattr(written, field) for field in ("name", "category", "summary", "unit", "provider_service")}


def next_terms(tool_id: int, written: TermsWritten, *, now: datetime) -> int:
    """Add these terms as the tool's next version, with its current name; returns their id."""
    last = db.session.execute(select(func.max(Terms.version)).where(Terms.tool_id == tool_id)).scalar()
    tool = db.session.get_one(Tool, tool_id)
    words = {word: getattr(tool, word) for word in TERMS_WORDS}
    terms = Terms(tool_id=tool_id, version=(last or 0) + 1, since=now, **words, **asdict(written))
    db.session.add(terms)
    db.session.flush()
    return terms.id


def terms_of(tool: ToolOffer | Terms) -> TermsWritten:
    return TermsWritten(**{field.name: getattr(tool, field.name) for field in fields(TermsWritten)})


def to_offer(row: Sequence[Any]) -> ToolOffer:
    """A row of OFFERS as a ToolOffer."""
    return ToolOffer(*row)
