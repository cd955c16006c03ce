"""Money is an integer of nano-dollars (10⁻⁹), a price an integer of micro-dollars (10⁻⁶) per thousand.

So quantity × price is the charge in nanos, and nothing is ever rounded. All parsing and formatting of amounts is here,
without float or Decimal.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from panel.domain.errors import BadMoney

NANOS_PER_UNIT = 1_000_000_000
NANO_DIGITS = 9
MICRO_DIGITS = 6

SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}
# Between an amount and what follows it: no line breaks there.
_NO_BREAK = "\N{NO-BREAK SPACE}"


class CurrencyDisplay(StrEnum):
    """How amounts are written on pages, in emails and in feeds; the settings have these values."""

    SIGN = "sign"
    COUNTRY_SIGN = "country-sign"
    CODE = "code"

    @property
    def label(self) -> str:
        """An example in dollars."""
        return shown(12_300_000_000, written=AmountFormat("USD", self))


# Without slots, so that both ends are made once: amounts are the most frequent text of a page.
@dataclass(frozen=True)
class AmountFormat:
    """The currency of every amount, and how it is written."""

    currency: str = "USD"
    display: CurrencyDisplay = CurrencyDisplay.SIGN

    @cached_property
    def before(self) -> str:
        """The sign before the digits. A currency without a sign has its code after them."""
        sign = "" if self.display is CurrencyDisplay.CODE else SIGNS.get(self.currency, "")
        has_country = self.display is CurrencyDisplay.COUNTRY_SIGN and self.currency == "USD"
        return f"US{sign}" if has_country else sign

    @cached_property
    def after(self) -> str:
        return "" if self.before else f"{_NO_BREAK}{self.currency}"


IN_DOLLARS = AmountFormat()

_AMOUNT = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?", re.ASCII)


def parse_nanos(text: str) -> int:
    """Parse an amount such as `12.5` into nanos. Raises BadMoney for anything else, also signs and exponents."""
    return _parse(text, digits=NANO_DIGITS)


def parse_price_micros(text: str) -> int:
    """Parse a price per thousand such as `0.90` into micros. Raises BadMoney if it is finer than a micro."""
    return _parse(text, digits=MICRO_DIGITS)


def _parse(text: str, *, digits: int) -> int:
    match = _AMOUNT.fullmatch(text.strip(" "))
    if match is None:
        raise BadMoney("Write an amount in digits with a point, such as 25 or 12.50.")
    whole, part = match.group(1), match.group(2) or ""
    if len(part.rstrip("0")) > digits:
        raise BadMoney(f"Enter an amount with at most {digits} decimals.")
    scale: int = 10**digits
    return int(whole) * scale + int(part.ljust(digits, "0")[:digits])


def plain(nanos: int, *, least_digits: int = 2) -> str:
    """The amount in digits: at least two decimals, and more if needed."""
    return _plain(nanos, digits=NANO_DIGITS, least_digits=least_digits)


def plain_price(micros: int) -> str:
    """A price per thousand in digits, as `plain`."""
    return _plain(micros, digits=MICRO_DIGITS, least_digits=2)


def _plain(units: int, *, digits: int, least_digits: int) -> str:
    whole, part = divmod(abs(units), 10**digits)
    tail = f"{part:0{digits}d}".rstrip("0").ljust(least_digits, "0")
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{tail}" if tail else f"{sign}{whole}"


def shown(nanos: int, *, written: AmountFormat = IN_DOLLARS) -> str:
    """The amount for pages: `$1,204.864`."""
    return _shown(plain(nanos), written)


def shown_price(micros: int, *, written: AmountFormat = IN_DOLLARS) -> str:
    return _shown(plain_price(micros), written)


def _shown(digits: str, written: AmountFormat) -> str:
    sign = "−" if digits.startswith("-") else ""
    whole, _, part = digits.removeprefix("-").partition(".")
    return f"{sign}{written.before}{int(whole):,}.{part}{written.after}"
