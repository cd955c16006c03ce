"""What an order costs, and which quantities can be ordered at all."""

import re

from panel.domain.errors import BadQuantity, QuantityTooLarge, QuantityTooSmall

# With these two bounds a charge stays below 10¹⁸ nanos, well inside a signed 64-bit column.
MOST_QUANTITY = 1_000_000_000
MOST_PRICE_MICROS_PER_THOUSAND = 1_000_000_000

_DIGITS = re.compile(r"[0-9]{1,31}", re.ASCII)


def charge_nanos(*, quantity: int, price_micros_per_thousand: int) -> int:
    """The exact charge: micro-dollars per thousand times pieces is nano-dollars."""
    return quantity * price_micros_per_thousand


def parse_quantity(text: str) -> int:
    """The whole number written in plain digits. Raises BadQuantity for anything else, spaces included."""
    if not _DIGITS.fullmatch(text):
        raise BadQuantity("Write the quantity as a whole number in plain digits, such as 1000.")
    return int(text)


def check_quantity(quantity: int, *, minimum: int, maximum: int) -> None:
    """Raises QuantityTooSmall or QuantityTooLarge when the quantity is outside the tool's limits."""
    if quantity < minimum:
        raise QuantityTooSmall(f"The least you can order with this tool is {minimum:,}.")
    if quantity > maximum:
        raise QuantityTooLarge(f"The most you can order with this tool at once is {maximum:,}.")
