"""Changes of the catalogue for customers: new tools, new terms, retired tools, from the stored versions of terms.

A tool counts as retired if it is hidden now and was shown before: an import added it, which shows it, or an operator
has hidden it. A draft that was never shown stays private.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import String, cast, func, literal, or_, select
from sqlalchemy.orm import aliased

from panel import app_context
from panel.db import db
from panel.domain import formatting, pricing
from panel.models import AuditLogEntry, Provider, Terms, Tool
from panel.services.catalogue import simulated_tools
from panel.services.catalogue.customer_prices import LIST_PRICES, PriceList

MAX_CHANGES = 200
# Some versions differ in nothing that customers see, or belong to tools that are not sold here.
MAX_READ = 2 * MAX_CHANGES


class ChangeKind(StrEnum):
    """Kind of a change of a tool."""

    NEW = "new"
    TERMS = "terms"
    RETIRED = "retired"

    @property
    def label(self) -> str:
        return {ChangeKind.NEW: "New tool", ChangeKind.TERMS: "Changed terms", ChangeKind.RETIRED: "Retired"}[self]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of the terms, as customers read it."""

    label: str
    before: str
    after: str

    @property
    def words(self) -> str:
        """The new value as part of a sentence: `$1.20 per 1,000`, or `minimum order 100`."""
        what, _, unit = self.label.partition(" per ")
        return f"{self.after} per {unit}" if unit else f"{what[0].lower()}{what[1:]} {self.after}"


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """A change of one tool. `slug` is empty where the tool has no page any more."""

    kind: ChangeKind
    at: datetime
    tool_id: int
    slug: str
    name: str
    version: int
    fields: tuple[FieldChange, ...]

    @property
    def key(self) -> str:
        """Identifies the change in the feed."""
        return f"tool-{self.tool_id}-{'retired' if self.kind is ChangeKind.RETIRED else f'version-{self.version}'}"

    @property
    def path(self) -> str:
        return f"/tools/{self.slug}#terms-{self.version}" if self.slug else "/tools"


_OLD = aliased(Terms)


def newest() -> list[CatalogueChange]:
    """The newest changes, newest first."""
    found = [*_versions(), *_retired()]
    return sorted(found, key=lambda change: (change.at, change.tool_id), reverse=True)[:MAX_CHANGES]


def _versions() -> list[CatalogueChange]:
    rows = db.session.execute(
        select(Terms, _OLD, Tool.slug, Provider.kind.label("provider_kind"), Provider.name.label("provider_name"))
        .join(Tool, Tool.id == Terms.tool_id)
        .join(Provider, Provider.id == Tool.provider_id)
        .outerjoin(_OLD, (_OLD.tool_id == Terms.tool_id) & (_OLD.version == Terms.version - 1))
        .where(Tool.is_hidden.is_(False))
        .order_by(Terms.id.desc())
        .limit(MAX_READ)
    )
    found = []
    for row in rows:
        terms, old, slug = row[:3]
        fields = () if old is None else differences(old, terms)
        if simulated_tools.is_sold(row) and (old is None or fields):
            kind = ChangeKind.NEW if old is None else ChangeKind.TERMS
            found.append(CatalogueChange(kind, terms.since, terms.tool_id, slug, terms.name, terms.version, fields))
    return found


def _retired() -> list[CatalogueChange]:
    subject = literal("tool ").concat(cast(Tool.slug, String))
    hidden_at = (
        select(func.max(AuditLogEntry.at))
        .where(AuditLogEntry.subject == subject, AuditLogEntry.action == "tools hide")
        .correlate(Tool)
        .scalar_subquery()
    )
    at = func.coalesce(hidden_at, Tool.changed_at, type_=Tool.changed_at.type)
    rows: Any = db.session.execute(
        select(Tool.id, Tool.name, at, Provider.kind.label("provider_kind"), Provider.name.label("provider_name"))
        .join(Provider, Provider.id == Tool.provider_id)
        .where(Tool.is_hidden, or_(hidden_at.is_not(None), Tool.provider_rate_micros.is_not(None)))
        .order_by(at.desc())
        .limit(MAX_CHANGES)
    )
    return [
        CatalogueChange(ChangeKind.RETIRED, row[2], row[0], "", row[1], 0, ())
        for row in rows
        if simulated_tools.is_sold(row)
    ]


def differences(
    old: Terms, new: Terms, *, prices: PriceList = LIST_PRICES, old_prices: PriceList | None = None
) -> tuple[FieldChange, ...]:
    """Differences between old and new terms for customers with these prices, who had `old_prices` before."""
    before, after = _shown(old, old_prices or prices), _shown(new, prices)
    pairs = zip(before.items(), after.items(), strict=True)
    return tuple(FieldChange(label, was, text) for (_, was), (label, text) in pairs if was not in ("", text))


def _shown(terms: Terms, prices: PriceList) -> dict[str, str]:
    days = terms.refill_days
    price = prices.price(terms.tool_id, terms.price_micros_per_thousand, is_package=terms.is_package)
    price //= pricing.PACKAGES_PER_THOUSAND if terms.is_package else 1
    return {
        "Name": terms.name,
        "Price per package" if terms.is_package else "Price per 1,000": app_context.price_text(price),
        "Minimum order": formatting.count(terms.minimum),
        "Maximum order": formatting.count(terms.maximum),
        "Refill": "not offered" if days is None else f"{formatting.count(days)} {'day' if days == 1 else 'days'}",
        "Cancel": "offered" if terms.can_cancel else "not offered",
        "Link": terms.link_example,
        "Category": terms.category,
        "Unit": terms.unit,
    }
