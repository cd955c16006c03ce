"""Margin and exchange rate of a catalogue import, stored with the provider.

A rate in an unknown currency is never used as a price, and prices never fall back to cost because an option was left
out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from panel.db import db
from panel.domain import pricing, resale
from panel.domain.errors import ActionRefused
from panel.models import Provider, Tool
from panel.services.catalogue import provider_rows

# More falling prices than this, or than half of the updated tools, need a confirmation.
MAX_FALLS = 10


@dataclass(frozen=True, slots=True)
class Markup:
    """How a rate becomes a price. `currency` is the provider's, empty where it says none."""

    margin_millionths: int
    exchange_nanos: int = resale.NO_EXCHANGE
    currency: str = ""

    def price_micros(self, rate: int) -> int:
        return resale.price_micros(rate, exchange_nanos=self.exchange_nanos, margin_millionths=self.margin_millionths)


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


def said_currency(answer: list[object], *, balance_currency: str) -> str:
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
    said_currency: str,
    our_currency: str,
) -> Markup:
    """Margin and exchange rate as given, else those of the last import. Raises Refused without either."""
    exchange = _exchange(provider, given=exchange_nanos, said=said_currency, ours=our_currency)
    return Markup(_margin(provider, given=margin_millionths), exchange, said_currency)


def _margin(provider: Provider, *, given: int | None) -> int:
    if given is not None:
        return given
    if provider.margin_millionths is not None:
        return provider.margin_millionths
    followed = select(Tool.id).where(Tool.provider_id == provider.id, Tool.provider_rate_micros.is_not(None)).limit(1)
    if db.session.scalar(followed) is not None:
        raise ActionRefused(
            f"The margin of the last import of {provider.name} isn't known. Give it with --margin, such as "
            "--margin 20%."
        )
    return 0


def _exchange(provider: Provider, *, given: int | None, said: str, ours: str) -> int:
    if said == ours:
        if given not in (None, resale.NO_EXCHANGE):
            raise ActionRefused(f"{provider.name} sells in {ours}, as this panel does. Leave out --rate.")
        return resale.NO_EXCHANGE
    if given is not None:
        return given
    remembered = provider.exchange_nanos
    if remembered is not None and said in ("", provider.catalogue_currency):
        return remembered
    if said:
        raise ActionRefused(
            f"{provider.name} sells in {said}, and this panel in {ours}. Nothing was changed. Give --rate: how many "
            f"{ours} one {said} is worth, such as --rate 1.0825."
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
