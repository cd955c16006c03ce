"""Charge of an order, and quantity validation."""

import re

from panel.domain import money
from panel.domain.errors import BadMoney, BadQuantity, QuantityTooLarge, QuantityTooSmall

# These two limits keep a charge below 10¹⁸ nanos, well within a signed 64-bit integer.
MAX_QUANTITY = 1_000_000_000
MAX_PRICE_MICROS_PER_THOUSAND = 1_000_000_000
# A package is one piece: the same number is its price in nanos, here a million.
MAX_PACKAGE_PRICE = 1_000_000_000_000_000
PACKAGES_PER_THOUSAND = 1_000
# Hundredths of a percent in the whole.
BASIS_POINTS = 10_000

# Commas and all kinds of spaces, the same one between all groups.
_GROUPED = re.compile(r"[1-9][0-9]{0,2}([, \u00a0\u202f\u2009\u2007])[0-9]{3}(?:\1[0-9]{3}){0,9}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,31}", re.ASCII)


def charge_nanos(*, quantity: int, price_micros_per_thousand: int) -> int:
    """The exact charge: micro-dollars per thousand times pieces is nano-dollars."""
    return quantity * price_micros_per_thousand


def max_price(*, is_package: bool) -> int:
    """The highest price per thousand that can be charged."""
    return MAX_PACKAGE_PRICE if is_package else MAX_PRICE_MICROS_PER_THOUSAND


def parse_price(text: str, *, is_package: bool) -> int:
    """The price per thousand for a rate as people and the API write it: of a thousand, or of one package.

    Raises BadMoney, also for 0 and more than can be charged.
    """
    price = money.parse_nanos(text) if is_package else money.parse_price_micros(text)
    most = max_price(is_package=is_package)
    if not 0 < price <= most:
        raise BadMoney(f"The price must be above 0 and at most {plain_rate(most, is_package=is_package)}.")
    return price


def price_of_rate(rate_micros: int, *, is_package: bool) -> int:
    """The price per thousand for a rate in micros: of a thousand, or of one package."""
    return rate_micros * PACKAGES_PER_THOUSAND if is_package else rate_micros


def discounted(price_micros_per_thousand: int, *, basis_points: int, is_package: bool) -> int:
    """The price with hundredths of a percent taken off, rounded up to a whole micro-dollar of a thousand or a package.

    Never above the price itself, which a package may have in nano-dollars.
    """
    unit = PACKAGES_PER_THOUSAND if is_package else 1
    exact = price_micros_per_thousand * (BASIS_POINTS - basis_points)
    return min(price_micros_per_thousand, -(-exact // (BASIS_POINTS * unit)) * unit)


def plain_rate(price_micros_per_thousand: int, *, is_package: bool) -> str:
    """The inverse of `parse_price`: the price in digits, of a thousand or of one package."""
    price = price_micros_per_thousand
    return money.plain(price) if is_package else money.plain_price(price)


def parse_quantity(text: str) -> int:
    """Parse plain digits. Raises BadQuantity for anything else, also spaces."""
    if not _DIGITS.fullmatch(text):
        raise BadQuantity("Enter the quantity as a whole number, such as 1000 or 1,000.")
    return int(text)


def ungrouped(text: str) -> str:
    """Remove thousands separators, as in "1,000" or "1 000"; other text is unchanged.

    Only for forms: the API takes plain digits. "1,00" and "1.000" are unchanged, so parse_quantity rejects them.
    """
    stripped = text.strip()
    grouped = _GROUPED.fullmatch(stripped)
    return stripped.replace(grouped[1], "") if grouped else stripped


def check_quantity(quantity: int, *, minimum: int, maximum: int) -> None:
    """Raises QuantityTooSmall or QuantityTooLarge if the quantity is outside the tool's limits."""
    if quantity < minimum:
        raise QuantityTooSmall(f"The minimum order for this tool is {minimum:,}.")
    if quantity > maximum:
        raise QuantityTooLarge(f"The maximum order for this tool is {maximum:,}.")
