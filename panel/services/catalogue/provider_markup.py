"""Price rules of a catalogue import (margin, fixed sum, rounding, floor, exchange rate), stored with the provider.

A rate in an unknown currency is never used as a price, and prices never fall back to cost because an option was left
out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select

from panel.db import db
from panel.domain import pricing, resale
from panel.domain.errors import ActionRefused
from panel.models import CategoryMargin, Provider
from panel.services.catalogue import provider_rows

# More falling prices than this, or than half of the updated tools, need a confirmation.
MAX_FALLS = 10


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """Margin and fixed sum for one category."""

    margin_millionths: int
    fixed_micros: int = 0


@dataclass(frozen=True, slots=True)
class Markup:
    """How a rate becomes a price. `currency` is the provider's, empty where it says none.

    `categories`: margin and fixed sum for categories of the provider's catalogue, instead of the general ones.
    """

    margin_millionths: int
    exchange_nanos: int = resale.NO_EXCHANGE
    currency: str = ""
    fixed_micros: int = 0
    step_micros: int = 1
    floor_micros: int = 0
    categories: Mapping[str, CategoryRule] = field(default_factory=dict)

    def price_micros(self, rate: int, category: str = "") -> int:
        """The price in micros, of a thousand or of a package, rounded up."""
        rule = self.categories.get(category)
        return resale.price_micros(
            rate,
            exchange_nanos=self.exchange_nanos,
            margin_millionths=self.margin_millionths if rule is None else rule.margin_millionths,
            fixed_micros=self.fixed_micros if rule is None else rule.fixed_micros,
            step_micros=self.step_micros,
            floor_micros=self.floor_micros,
        )

    def cost_micros(self, rate: int) -> int:
        """The rate in our currency, in micros, rounded up."""
        return resale.price_micros(rate, exchange_nanos=self.exchange_nanos, margin_millionths=0)


@dataclass(frozen=True, slots=True)
class PriceChange:
    """The price of a tool before and after an import."""

    slug: str
    old_micros: int
    new_micros: int
    was_package: bool = False
    is_package: bool = False

    @property
    def falls(self) -> bool:
        return self.new_micros < self.old_micros

    @property
    def words(self) -> str:
        """Old and new price, each of a thousand or of one package."""
        old = pricing.plain_rate(self.old_micros, is_package=self.was_package)
        new = pricing.plain_rate(self.new_micros, is_package=self.is_package)
        of = ("per 1,000", "per package")
        end = of[self.is_package]
        return (
            f"{old} → {new} {end}"
            if self.was_package == self.is_package
            else f"{old} {of[self.was_package]} → {new} {end}"
        )


class PricesWouldFall(ActionRefused):
    """Many prices would fall: an operator must confirm them."""

    code = "prices_would_fall"

    def __init__(self, changes: Sequence[PriceChange]) -> None:
        falls = sum(change.falls for change in changes)
        super().__init__(
            f"{falls:,} prices would fall. Nothing was changed. Look at the old and new prices; if they are right, "
            "import again with --yes."
        )
        self.changes = tuple(changes)


def currency_of(answer: list[object], *, balance_currency: str) -> str:
    """Currency of a catalogue: from its rows, else from our balance there. Raises Refused if there are several."""
    named = provider_rows.currencies(answer)
    if len(named) > 1:
        raise ActionRefused(f"The catalogue has prices in several currencies: {', '.join(sorted(named)[:5])}.")
    return named.pop() if named else resale.currency_named(balance_currency)


def choose(
    provider: Provider,
    *,
    margin_millionths: int | None,
    exchange_nanos: int | None,
    catalogue_currency: str,
    our_currency: str,
) -> Markup:
    """Margin and exchange rate as given, else as stored, with the stored rules. Raises Refused without either."""
    exchange = _exchange(provider, given=exchange_nanos, theirs=catalogue_currency, ours=our_currency)
    margin = _margin(provider, given=margin_millionths)
    return replace(stored(provider), margin_millionths=margin, exchange_nanos=exchange, currency=catalogue_currency)


def stored(provider: Provider) -> Markup:
    """The provider's stored price rules; without a margin where none was ever set."""
    rows = db.session.scalars(
        select(CategoryMargin).where(CategoryMargin.provider_id == provider.id).order_by(CategoryMargin.category)
    )
    return Markup(
        provider.margin_millionths or 0,
        resale.NO_EXCHANGE if provider.exchange_nanos is None else provider.exchange_nanos,
        provider.catalogue_currency,
        provider.fixed_micros,
        provider.step_micros,
        provider.floor_micros,
        {row.category: CategoryRule(row.margin_millionths, row.fixed_micros) for row in rows},
    )


def _margin(provider: Provider, *, given: int | None) -> int:
    if given is not None:
        return given
    if provider.margin_millionths is not None:
        return provider.margin_millionths
    raise ActionRefused(
        f"{provider.name} has no price rules yet, and nothing is sold at cost unless you say so. Give its margin with "
        "--margin, such as --margin 20%; --margin 0 sells at its rates."
    )


def _exchange(provider: Provider, *, given: int | None, theirs: str, ours: str) -> int:
    if theirs == ours:
        if given not in (None, resale.NO_EXCHANGE):
            raise ActionRefused(f"{provider.name} sells in {ours}, as this panel does. Leave out --rate.")
        return resale.NO_EXCHANGE
    if given is not None:
        return given
    remembered = provider.exchange_nanos
    if remembered is not None and theirs in ("", provider.catalogue_currency):
        return remembered
    if theirs:
        raise ActionRefused(
            f"{provider.name} sells in {theirs}, and this panel in {ours}. Nothing was changed. Give --rate: how many "
            f"{ours} one {theirs} is worth, such as --rate 1.0825."
        )
    return resale.NO_EXCHANGE


def remember(provider: Provider, markup: Markup) -> None:
    """Store it for the next import."""
    provider.margin_millionths = markup.margin_millionths
    provider.exchange_nanos = markup.exchange_nanos
    provider.catalogue_currency = markup.currency
    db.session.flush()


def check_falls(changes: Sequence[PriceChange], *, followed: int) -> None:
    """Raises PricesWouldFall if more prices fall than allowed without confirmation."""
    falls = sum(change.falls for change in changes)
    if falls > MAX_FALLS or 2 * falls > followed:
        raise PricesWouldFall(changes)
