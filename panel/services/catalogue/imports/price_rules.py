"""Stored price rules of a provider: read from forms, previewed with old and new prices, then saved.

Prices that an operator set by hand stay as they are.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import delete, select

from panel import app_context
from panel.db import db, lock_rows
from panel.domain import money, pricing, resale
from panel.domain.errors import ActionRefused, BadInput, BadMoney, NotFound, StaleForm
from panel.domain.provider_kind import ProviderKind
from panel.models import Catalogue, CategoryMargin, Provider
from panel.services import audit_log
from panel.services.catalogue import import_writing, provider_markup, provider_rows
from panel.services.catalogue.file_format import TermsWritten
from panel.services.catalogue.imports import known_tools
from panel.services.catalogue.provider_markup import CategoryRule, Markup, PriceChange

# The steps that prices are rounded up to, in micros.
STEPS = (1, 100, 1_000, 10_000, 50_000, 100_000, 1_000_000)
MAX_CATEGORIES = 500
RulesChange = Callable[[Provider, Markup], Markup]


class BadRules(BadInput):
    """Invalid price rules, with a message for each field."""

    code = "bad_rules"

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(next(iter(errors.values())))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Repricing:
    """Effect of other price rules. `by_hand`: tools whose price an operator set; `unsellable`: tools without one."""

    changes: list[PriceChange] = field(default_factory=list)
    terms: list[tuple[str, int, TermsWritten]] = field(default_factory=list)
    tools: list[dict[str, object]] = field(default_factory=list)
    unsellable: list[str] = field(default_factory=list)
    by_hand: int = 0
    unchanged: int = 0

    @property
    def falls(self) -> int:
        return sum(change.falls for change in self.changes)

    @property
    def largest(self) -> list[PriceChange]:
        """The changes by how much they change, the largest first."""
        return sorted(self.changes, key=_moved, reverse=True)

    @property
    def digest(self) -> str:
        """Hash of all old and new prices: whether a preview still holds."""
        lines = "\n".join(f"{each.slug} {each.old_micros} {each.new_micros}" for each in self.changes)
        return hashlib.sha256(lines.encode()).hexdigest()[:24]


def _moved(change: PriceChange) -> tuple[int, str]:
    """How far the price moved, in hundredths of a percent of the old one."""
    return abs(change.new_micros - change.old_micros) * pricing.BASIS_POINTS // change.old_micros, change.slug


def of_provider(provider_id: int) -> tuple[Provider, Markup]:
    """An upstream panel with its price rules. Raises NotFound."""
    provider = db.session.get(Provider, provider_id)
    if provider is None or provider.kind != ProviderKind.PANEL_API:
        raise NotFound("There is no such upstream panel.")
    return provider, provider_markup.stored(provider)


def currency_of(provider: Provider) -> str:
    """Currency of its prices: that of its catalogue, else of our balance there; empty if neither is known."""
    return provider.catalogue_currency or resale.currency_named(provider.balance.rpartition(" ")[2])


def needs_exchange(provider: Provider) -> bool:
    """Whether its prices are in another currency than ours."""
    return currency_of(provider) not in ("", app_context.settings().currency)


def categories(provider_id: int) -> list[str]:
    """Categories of the tools that were imported from it, by name."""
    known = known_tools.of_provider(provider_id).values()
    return sorted({each.tool.provider_category for each in known if each.tool.provider_category})


def read(provider: Provider, present: Markup, typed: Mapping[str, str]) -> Markup:
    """The general rules as typed. Raises BadRules."""
    errors: dict[str, str] = {}
    currency = present.currency
    readers = {"margin": resale.read_margin, "fixed": _sum, "step": _step, "floor": _sum}
    values: dict[str, int] = {}
    if needs_exchange(provider):
        readers["rate"] = resale.read_exchange
        currency = currency_of(provider)
    for name, reader in readers.items():
        try:
            values[name] = reader(typed.get(name, ""))
        except (BadInput, BadMoney) as error:
            errors[name] = error.message
    if errors:
        raise BadRules(errors)
    return replace(
        present,
        margin_millionths=values["margin"],
        fixed_micros=values["fixed"],
        step_micros=values["step"],
        floor_micros=values["floor"],
        exchange_nanos=values.get("rate", present.exchange_nanos),
        currency=currency,
    )


def with_category(present: Markup, typed: Mapping[str, str]) -> Markup:
    """The rules with those of one category. Raises BadRules."""
    errors: dict[str, str] = {}
    category = " ".join(typed.get("category", "").split())
    if not category or not category.isprintable() or len(category) > provider_rows.MAX_CATEGORY_LENGTH:
        errors["category"] = f"Write a category of 1 to {provider_rows.MAX_CATEGORY_LENGTH} characters."
    elif len(present.categories) >= MAX_CATEGORIES and category not in present.categories:
        errors["category"] = f"At most {MAX_CATEGORIES} categories can have their own margin."
    margin = fixed = 0
    try:
        margin = resale.read_margin(typed.get("category_margin", ""))
    except BadInput as error:
        errors["category_margin"] = error.message
    try:
        fixed = _sum(typed.get("category_fixed", ""))
    except BadMoney as error:
        errors["category_fixed"] = error.message
    if errors:
        raise BadRules(errors)
    return replace(present, categories={**present.categories, category: CategoryRule(margin, fixed)})


def without_category(present: Markup, category: str) -> Markup:
    """The rules without those of this category. Raises NotFound."""
    if category not in present.categories:
        raise NotFound("This category has no margin of its own.")
    return replace(present, categories={name: rule for name, rule in present.categories.items() if name != category})


def preview(provider_id: int, markup: Markup) -> Repricing:
    """Old and new prices of the provider's tools under these rules."""
    found = Repricing()
    by_hand = unchanged = 0
    for known in known_tools.of_provider(provider_id).values():
        if not known.is_imported:
            continue
        if "price_per_thousand" in known.by_hand:
            by_hand += 1
            continue
        slug, old, is_package = known.tool.slug, known.terms, known.terms.is_package
        price = pricing.price_of_rate(
            markup.price_micros(known.rate, known.tool.provider_category), is_package=is_package
        )
        if not resale.is_sellable(price, is_package=is_package):
            found.unsellable.append(slug)
        elif price == old.price_micros_per_thousand:
            unchanged += 1
        else:
            found.changes.append(PriceChange(slug, old.price_micros_per_thousand, price, is_package, is_package))
            found.terms.append((slug, known.version + 1, replace(old, price_micros_per_thousand=price)))
            found.tools.append(import_writing.as_it_is(known.tool))
    return replace(found, by_hand=by_hand, unchanged=unchanged)


def save(provider_id: int, change: RulesChange, *, digest: str, actor: str, now: datetime) -> Repricing:
    """Change the stored rules and reprice the tools. `change` gets the rules as they are once the catalogue is locked.

    Raises NotFound, BadRules, Refused, or StaleForm if other prices were previewed.
    """
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    provider, present = of_provider(provider_id)
    markup = change(provider, present)
    did = preview(provider_id, markup)
    if did.digest != digest:
        raise StaleForm("Prices changed since this preview was made. Nothing was saved. Check the new preview.")
    if did.unsellable:
        raise ActionRefused(f"{did.unsellable[0]} would cost more than can be charged here. Nothing was saved.")
    provider_markup.remember(provider, markup)
    provider.fixed_micros, provider.step_micros = markup.fixed_micros, markup.step_micros
    provider.floor_micros = markup.floor_micros
    _store_categories(provider_id, markup.categories)
    import_writing.write([], did.terms, did.tools, on_progress=lambda done, of: None, now=now)
    audit_log.write(
        "providers price rules",
        actor=actor,
        subject=f"provider {provider.name}",
        detail=f"{words(markup)} {len(did.changes)} prices changed, {did.falls} of them fell."[:1_000],
        now=now,
    )
    return did


def _store_categories(provider_id: int, rules: Mapping[str, CategoryRule]) -> None:
    db.session.execute(delete(CategoryMargin).where(CategoryMargin.provider_id == provider_id))
    for category, rule in rules.items():
        row = CategoryMargin(provider_id=provider_id, category=category, margin_millionths=rule.margin_millionths)
        row.fixed_micros = rule.fixed_micros
        db.session.add(row)
    db.session.flush()


def words(markup: Markup) -> str:
    """The rules beside the exchange rate, in one sentence."""
    parts = [f"Margin {resale.shown_margin(markup.margin_millionths)}"]
    if markup.fixed_micros:
        parts.append(f"plus {money.plain_price(markup.fixed_micros)}")
    if markup.step_micros > 1:
        parts.append(f"rounded up to {money.plain_price(markup.step_micros)}")
    if markup.floor_micros:
        parts.append(f"at least {money.plain_price(markup.floor_micros)}")
    if markup.categories:
        number = len(markup.categories)
        parts.append(f"{number} {'category has its' if number == 1 else 'categories have their'} own margin")
    return ", ".join(parts) + "."


def _sum(text: str) -> int:
    """A sum in micros; 0 for an empty text. Raises BadMoney."""
    if not text.strip():
        return 0
    micros = money.parse_price_micros(text.strip())
    if not 0 <= micros <= pricing.MAX_PRICE_MICROS_PER_THOUSAND:
        raise BadMoney(f"Enter an amount from 0 to {money.plain_price(pricing.MAX_PRICE_MICROS_PER_THOUSAND)}.")
    return micros


def _step(text: str) -> int:
    micros = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
    if micros not in STEPS:
        raise BadInput("Choose a step from the list.", field="step")
    return micros
