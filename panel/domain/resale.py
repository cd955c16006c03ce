"""Resale: what a provider lists and charges, its worth in our currency, and our price with the margin.

Exact integers throughout, without float or Decimal. A price is rounded once, at the end: up to a whole micro-dollar per
thousand, so that no price is below its cost. A charge is rounded up to a nano.
"""

import re
from dataclasses import dataclass

from panel.domain import pricing
from panel.domain.errors import BadInput

# Rates are integers of 10⁻¹⁸ per thousand.
RATE_DIGITS = 18
RATE_UNITS_A_MICRO = 10**12
UNITS_A_NANO = 10**9
MAX_CHARGE_NANOS = 10**18
EXCHANGE_DIGITS = 9
NO_EXCHANGE = 1_000_000_000
MARGIN_DIGITS = 4
ONE_PERCENT = 10_000
PARTS_OF_ONE = 100 * ONE_PERCENT
MAX_PERCENT = 1_000
# A provider's number is truncated to 40 characters when parsed, so a longer one may be incomplete.
MAX_RATE_LENGTH = 39
MAX_EXPONENT = 40

_RATE = re.compile(r"([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,2}))?", re.ASCII)
_MARGIN = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?\s*%?", re.ASCII)
_EXCHANGE = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,9}))?", re.ASCII)
_NAMES = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₺": "TRY"}


def read_rate(text: str) -> int:
    """Parse a provider's rate such as `0.90`, `0.5000000000` or `1e-05` into units of 10⁻¹⁸. Raises ValueError."""
    text = text.strip()
    match = _RATE.fullmatch(text) if len(text) <= MAX_RATE_LENGTH else None
    whole, part, exponent = match.groups("") if match else ("", "", "")
    if not whole and not part:
        raise ValueError("no rate")
    shift = RATE_DIGITS + int(exponent or "0") - len(part)
    if abs(shift) > MAX_EXPONENT + RATE_DIGITS:
        raise ValueError("a rate far out of bounds")
    digits = int(whole + part)
    scale: int = 10 ** abs(shift)
    units, rest = (digits * scale, 0) if shift >= 0 else divmod(digits, scale)
    if rest:
        raise ValueError("a rate finer than can be counted")
    return units


def micros_of(rate: int) -> int:
    """The rate in millionths per thousand, rounded up."""
    return -(-rate // RATE_UNITS_A_MICRO)


def read_margin(text: str) -> int:
    """Parse a margin such as `20%` or `12.5%` into millionths. Raises BadInput."""
    match = _MARGIN.fullmatch(text.strip())
    if match is None or int(match.group(1)) > MAX_PERCENT:
        raise BadInput(f"Write the margin in percent, such as 20% or 12.5%, at most {MAX_PERCENT}%.", field="margin")
    return int(match.group(1)) * ONE_PERCENT + int((match.group(2) or "").ljust(MARGIN_DIGITS, "0"))


def shown_margin(millionths: int) -> str:
    """Format a margin for `read_margin`: `12.5%`."""
    return f"{_digits(millionths, MARGIN_DIGITS)}%"


def read_exchange(text: str) -> int:
    """Parse an exchange rate such as `1.0825` (ours for one of the provider's) into nanos. Raises BadInput."""
    match = _EXCHANGE.fullmatch(text.strip())
    nanos = 0 if match is None else int(match.group(1) + (match.group(2) or "").ljust(EXCHANGE_DIGITS, "0"))
    if not nanos:
        raise BadInput("Write the rate as a number above 0, such as 1.0825 or 0.012.", field="rate")
    return nanos


def shown_exchange(nanos: int) -> str:
    """Format an exchange rate for `read_exchange`."""
    return _digits(nanos, EXCHANGE_DIGITS)


def _digits(units: int, digits: int) -> str:
    whole, part = divmod(units, 10**digits)
    tail = f"{part:0{digits}d}".rstrip("0")
    return f"{whole}.{tail}" if tail else str(whole)


def plain_rate(rate: int) -> str:
    """Format a rate in units of 10⁻¹⁸ for `read_rate`."""
    return _digits(rate, RATE_DIGITS)


def price_micros(
    rate: int,
    *,
    exchange_nanos: int,
    margin_millionths: int,
    fixed_micros: int = 0,
    step_micros: int = 1,
    floor_micros: int = 0,
) -> int:
    """The price per thousand in micro-dollars: margin, then the fixed sum, rounded up once to a whole step.

    Never below the floor, which is a price itself and isn't rounded.
    """
    parts_a_micro = RATE_UNITS_A_MICRO * NO_EXCHANGE * PARTS_OF_ONE
    exact = rate * exchange_nanos * (PARTS_OF_ONE + margin_millionths) + fixed_micros * parts_a_micro
    steps = -(-exact // (parts_a_micro * step_micros))
    return max(steps * step_micros, floor_micros)


def is_sellable(price: int, *, is_package: bool) -> bool:
    return 0 < price <= pricing.max_price(is_package=is_package)


def currency_named(text: object) -> str:
    """Currency code such as `USD`; empty if the text isn't a known currency."""
    word = text.strip().upper() if isinstance(text, str) else ""
    word = _NAMES.get(word, word)
    return word if 0 < len(word) <= 10 and word.isascii() and word.isalnum() else ""


@dataclass(frozen=True, slots=True)
class UpstreamCharge:
    """A charge in nanos of the provider's currency; `currency` is empty where it names none."""

    nanos: int
    currency: str


def read_charge(charge: object, currency: object) -> UpstreamCharge | None:
    """The charge in a provider's `status` answer; None if there is none, or it is no amount."""
    if not isinstance(charge, int | str):
        return None
    try:
        units = read_rate(str(charge))
    except ValueError:
        return None
    nanos = -(-units // UNITS_A_NANO)
    return UpstreamCharge(nanos, currency_named(currency)) if nanos <= MAX_CHARGE_NANOS else None


def exchange(currency: str, *, ours: str, providers: str, providers_exchange_nanos: int | None) -> int | None:
    """Exchange rate: the worth of one of this currency in ours, in nanos; None if it isn't known.

    A charge without a currency is in the provider's (`providers`), and in ours where that is not known either.
    """
    named = currency or providers or ours
    if named == ours:
        return NO_EXCHANGE
    return providers_exchange_nanos if named == providers else None


def in_ours(nanos: int, *, exchange_nanos: int) -> int:
    """Nanos of another currency in nanos of ours, rounded up."""
    return -(-nanos * exchange_nanos // NO_EXCHANGE)
