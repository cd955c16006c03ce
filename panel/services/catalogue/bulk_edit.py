"""Bulk edit of tools: one change of category, visibility or price for many, previewed with old and new values.

What it sets counts as set by hand, so imports leave it; following price rules again ends that.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.domain import pricing, resale
from panel.domain.errors import ActionRefused, BadInput, StaleForm
from panel.models import Catalogue, Provider
from panel.services import audit_log
from panel.services.catalogue import import_writing, provider_markup, tool_settings, tools
from panel.services.catalogue.file_format import TermsWritten
from panel.services.catalogue.imports import known_tools
from panel.services.catalogue.imports.known_tools import KnownTool
from panel.services.catalogue.provider_markup import Markup, PriceChange
from panel.services.catalogue.tools import ToolOffer

# More would keep others waiting for too long in one transaction.
MAX_TOOLS = 2_000
_PERCENT = re.compile(r"([+-])?([0-9]{1,4})(?:\.([0-9]{1,2}))?\s*%?", re.ASCII)


class BulkToolAction(StrEnum):
    """Kind of a bulk edit."""

    CATEGORY = "category"
    HIDE = "hide"
    SHOW = "show"
    PERCENT = "percent"
    PRICE_RULES = "price_rules"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    BulkToolAction.CATEGORY: "Move to a category",
    BulkToolAction.HIDE: "Hide",
    BulkToolAction.SHOW: "Show",
    BulkToolAction.PERCENT: "Change prices by a percentage",
    BulkToolAction.PRICE_RULES: "Use the provider’s price rules again",
}


@dataclass(frozen=True, slots=True)
class ToolSelection:
    """Tools of the office's list: by words, category and visibility (`shown`, `hidden` or empty)."""

    words: str = ""
    category: str = ""
    visibility: str = ""

    def of(self, offers: Sequence[ToolOffer]) -> list[ToolOffer]:
        return [each for each in offers if self._matches(each)]

    def _matches(self, tool: ToolOffer) -> bool:
        text = f"{tool.slug} {tool.name} {tool.category} {tool.provider_name}".lower()
        is_visible = self.visibility == "" or (self.visibility == "hidden") == tool.is_hidden
        return self.words.lower() in text and self.category in ("", tool.category) and is_visible


@dataclass(frozen=True, slots=True)
class BulkChange:
    """Old and new value of one tool, with what is written."""

    slug: str
    name: str
    old: str
    new: str
    tool: dict[str, Any]
    terms: tuple[str, int, TermsWritten] | None = None
    falls: bool = False


@dataclass(frozen=True, slots=True)
class ToolChangePreview:
    """Preview of a bulk edit: the changes, and why other tools are left as they are."""

    changes: list[BulkChange] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)

    @property
    def falls(self) -> int:
        return sum(each.falls for each in self.changes)

    @property
    def digest(self) -> str:
        """Hash of all old and new values: whether a preview still holds."""
        lines = "\n".join(f"{each.slug}\t{each.old}\t{each.new}" for each in self.changes)
        return hashlib.sha256(lines.encode()).hexdigest()[:24]


def preview(tool_ids: Sequence[int], action: BulkToolAction, value: str) -> ToolChangePreview:
    """Preview of this bulk edit. Raises BadInput for a wrong value, no tool or too many."""
    if not 0 < len(tool_ids) <= MAX_TOOLS:
        raise BadInput(f"Choose from 1 to {MAX_TOOLS:,} tools.", field="tool")
    if action == BulkToolAction.CATEGORY:
        try:
            value = tool_settings.read_line(value, "category")
        except BadInput as error:
            raise BadInput(error.message, field="value") from error
    millionths = read_percent(value) if action == BulkToolAction.PERCENT else 0
    found, markups = ToolChangePreview(), _Markups()
    for known in sorted(known_tools.by_ids(tool_ids).values(), key=lambda each: each.tool.slug):
        try:
            match action:
                case BulkToolAction.CATEGORY:
                    change = _category(known, value)
                case BulkToolAction.HIDE | BulkToolAction.SHOW:
                    change = _visibility(known, is_hidden=action == BulkToolAction.HIDE)
                case BulkToolAction.PERCENT:
                    change = _price(known, _by_percent(known.terms, millionths), by_hand=True)
                case BulkToolAction.PRICE_RULES:
                    change = _price(known, markups.price(known), by_hand=False)
        except ActionRefused as why:
            found.left.append((known.tool.slug, why.message))
            continue
        found.changes.append(change)
    return found


def apply(
    tool_ids: Sequence[int], action: BulkToolAction, value: str, *, digest: str, reason: str, actor: str, now: datetime
) -> ToolChangePreview:
    """Write what was previewed. Raises BadInput, Refused if nothing differs, or StaleForm for another preview."""
    reason = audit_log.checked_reason(reason)
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    did = preview(tool_ids, action, value)
    if not did.changes:
        raise ActionRefused("None of these tools would change. Nothing was saved.")
    if did.digest != digest:
        raise StaleForm("Tools changed since this preview was made. Nothing was saved. Check the new preview.")
    terms = [each.terms for each in did.changes if each.terms is not None]
    written = [each.tool for each in did.changes]
    import_writing.write([], terms, written, on_progress=lambda done, of: None, now=now)
    for each in did.changes:
        detail = f"{reason} ({action.label}: {each.old[:60]} → {each.new[:60]})"
        audit_log.write("tools bulk", actor=actor, subject=f"tool {each.slug}", detail=detail[:1_000], now=now)
    return did


def read_percent(text: str) -> int:
    """Parse `+10`, `10%` or `-2.5` into millionths. Raises BadInput unless it is above -100 and changes something."""
    match = _PERCENT.fullmatch(text.strip())
    hundredths = 0 if match is None else int(match[2]) * 100 + int((match[3] or "").ljust(2, "0"))
    is_down = match is not None and match[1] == "-"
    if not 0 < hundredths <= (9_999 if is_down else resale.MAX_PERCENT * 100):
        raise BadInput("Write a percentage such as 10 or -2.5, above -100 and with at most 2 decimals.", field="value")
    return (-hundredths if is_down else hundredths) * 100


def _category(known: KnownTool, category: str) -> BulkChange:
    tool = known.tool
    if tool.category == category:
        raise ActionRefused("It is in this category already.")
    terms = (tool.slug, known.version + 1, known.terms)
    return BulkChange(tool.slug, tool.name, tool.category, category, _set(known, "category", category=category), terms)


def _visibility(known: KnownTool, *, is_hidden: bool) -> BulkChange:
    tool, words = known.tool, {True: "Hidden", False: "Shown"}
    if tool.is_hidden == is_hidden:
        raise ActionRefused(f"It is {words[is_hidden].lower()} already.")
    return BulkChange(
        tool.slug, tool.name, words[tool.is_hidden], words[is_hidden], _set(known, "hidden", is_hidden=is_hidden)
    )


def _price(known: KnownTool, price: int, *, by_hand: bool) -> BulkChange:
    tool, terms = known.tool, known.terms
    if not resale.is_sellable(price, is_package=terms.is_package):
        raise ActionRefused("The price would be more than can be charged.")
    old_price = terms.price_micros_per_thousand
    field_name = "price_per_thousand"
    if price == old_price and (by_hand or field_name not in known.by_hand):
        raise ActionRefused("The price stays.")
    if price == old_price:
        return BulkChange(tool.slug, tool.name, "Set by hand", "Follows the rules", _unset(known, field_name))
    change = PriceChange(tool.slug, old_price, price, terms.is_package, terms.is_package)
    old, _, new = change.words.partition(" → ")
    written = _set(known, field_name) if by_hand else _unset(known, field_name)
    new_terms = (tool.slug, known.version + 1, replace(terms, price_micros_per_thousand=price))
    return BulkChange(tool.slug, tool.name, old, new, written, new_terms, change.falls)


def _by_percent(terms: TermsWritten, millionths: int) -> int:
    """The price with the percentage, rounded up to a whole micro-dollar of a thousand or of a package."""
    unit = pricing.PACKAGES_PER_THOUSAND if terms.is_package else 1
    exact = terms.price_micros_per_thousand * (resale.PARTS_OF_ONE + millionths)
    return -(-exact // (resale.PARTS_OF_ONE * unit)) * unit


class _Markups:
    """Price rules of each provider, read once."""

    def __init__(self) -> None:
        self._known: dict[int, Markup | None] = {}

    def price(self, known: KnownTool) -> int:
        """The price by its provider's rules. Raises Refused for a tool that was not imported, or without a margin."""
        if not known.is_imported:
            raise ActionRefused("It was not imported, so no price rules apply.")
        provider_id = known.tool.provider_id
        if provider_id not in self._known:
            provider = db.session.get_one(Provider, provider_id)
            has_rules = provider.margin_millionths is not None
            self._known[provider_id] = provider_markup.stored(provider) if has_rules else None
        markup = self._known[provider_id]
        if markup is None:
            raise ActionRefused("Its provider has no price rules yet.")
        price = markup.price_micros(known.rate, known.tool.provider_category)
        return pricing.price_of_rate(price, is_package=known.terms.is_package)


def _set(known: KnownTool, name: str, **columns: Any) -> dict[str, Any]:
    """The tool's columns with this field marked as set by hand."""
    return import_writing.as_it_is(known.tool) | columns | {"set_by_hand": " ".join(sorted({*known.by_hand, name}))}


def _unset(known: KnownTool, name: str) -> dict[str, Any]:
    return import_writing.as_it_is(known.tool) | {"set_by_hand": " ".join(sorted(known.by_hand - {name}))}


def listed(selection: ToolSelection) -> list[ToolOffer]:
    """The selected tools by slug, with hidden ones."""
    return selection.of(tools.listed_all())
