"""Charge of an order, and quantity validation."""

import re

from panel.domain.errors import BadQuantity, QuantityTooLarge, QuantityTooSmall

# These two limits keep a charge below 10¹⁸ nanos, well within a signed 64-bit integer.
MAX_QUANTITY = 1_000_000_000
MAX_PRICE_MICROS_PER_THOUSAND = 1_000_000_000

# Commas and all kinds of spaces, the same one between all groups.
_GROUPED = re.compile(r"[1-9][0-9]{0,2}([, \u00a0\u202f\u2009\u2007])[0-9]{3}(?:\1[0-9]{3}){0,9}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,31}", re.ASCII)


def charge_nanos(*, quantity: int, price_micros_per_thousand: int) -> int:
    """The exact charge: micro-dollars per thousand times pieces is nano-dollars."""
    return quantity * price_micros_per_thousand


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
