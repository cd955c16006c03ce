"""Money is an integer of nano-dollars (10⁻⁹), a price an integer of micro-dollars (10⁻⁶) per thousand.

So quantity × price is the charge in nanos, and nothing is ever rounded. All parsing and formatting of amounts is here,
without float or Decimal.
"""

import re

from panel.domain.errors import BadMoney

NANOS_PER_UNIT = 1_000_000_000
NANO_DIGITS = 9
MICRO_DIGITS = 6

SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}

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


def shown(nanos: int, *, currency: str = "USD") -> str:
    """The amount for pages: `$1,204.864`."""
    return _shown(plain(nanos), currency=currency)


def shown_price(micros: int, *, currency: str = "USD") -> str:
    return _shown(plain_price(micros), currency=currency)


def _shown(digits: str, *, currency: str) -> str:
    sign = "−" if digits.startswith("-") else ""
    whole, _, part = digits.removeprefix("-").partition(".")
    amount = f"{int(whole):,}.{part}"
    return f"{sign}{SIGNS[currency]}{amount}" if currency in SIGNS else f"{sign}{amount} {currency}"
