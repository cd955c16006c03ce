"""What an order costs, and which quantities can be ordered at all."""

import re

from panel.domain.errors import BadQuantity, QuantityTooLarge, QuantityTooSmall

# With these two bounds a charge stays below 10¹⁸ nanos, well inside a signed 64-bit column.
MOST_QUANTITY = 1_000_000_000
MOST_PRICE_MICROS_PER_THOUSAND = 1_000_000_000

# Commas, spaces, no-break, narrow no-break, thin and figure spaces: one and the same between all groups.
_GROUPED = re.compile(r"[1-9][0-9]{0,2}([, \u00a0\u202f\u2009\u2007])[0-9]{3}(?:\1[0-9]{3}){0,9}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,31}", re.ASCII)


def charge_nanos(*, quantity: int, price_micros_per_thousand: int) -> int:
    """The exact charge: micro-dollars per thousand times pieces is nano-dollars."""
    return quantity * price_micros_per_thousand


def parse_quantity(text: str) -> int:
    """The whole number written in plain digits. Raises BadQuantity for anything else, spaces included."""
    if not _DIGITS.fullmatch(text):
        raise BadQuantity("Enter the quantity as a whole number, such as 1000 or 1,000.")
    return int(text)


def ungrouped(text: str) -> str:
    """The quantity without its thousands separators, as a person types "1,000" or "1 000"; other text as it is.

    Only for forms: the API takes plain digits. "1,00" and "1.000" stay as they are, so parse_quantity refuses them.
    """
    stripped = text.strip()
    grouped = _GROUPED.fullmatch(stripped)
    return stripped.replace(grouped[1], "") if grouped else stripped


def check_quantity(quantity: int, *, minimum: int, maximum: int) -> None:
    """Raises QuantityTooSmall or QuantityTooLarge when the quantity is outside the tool's limits."""
    if quantity < minimum:
        raise QuantityTooSmall(f"The minimum order for this tool is {minimum:,}.")
    if quantity > maximum:
        raise QuantityTooLarge(f"The maximum order for this tool is {maximum:,}.")
