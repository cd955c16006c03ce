"""What a provider charges us for an order, in its currency, and what that is worth in ours.

Exact integers; rounded up where something is finer than a nano, so that no cost looks smaller than it is.
"""

from dataclasses import dataclass

from panel.domain import resale

UNITS_A_NANO = 10**9
MAX_NANOS = 10**18


@dataclass(frozen=True, slots=True)
class UpstreamCharge:
    """A charge in nanos of the provider's currency; `currency` is empty where it names none."""

    nanos: int
    currency: str


def read(charge: object, currency: object) -> UpstreamCharge | None:
    """The charge in a provider's `status` answer; None if there is none, or it is no amount."""
    if isinstance(charge, bool) or not isinstance(charge, int | str):
        return None
    try:
        units = resale.read_rate(str(charge))
    except ValueError:
        return None
    nanos = -(-units // UNITS_A_NANO)
    return UpstreamCharge(nanos, resale.currency_named(currency)) if nanos <= MAX_NANOS else None


def exchange(currency: str, *, ours: str, providers: str, providers_exchange_nanos: int | None) -> int | None:
    """What one of this currency is worth in ours, in nanos; None if it isn't known.

    A charge without a currency is in the provider's (`providers`), and in ours where that is not known either.
    """
    named = currency or providers or ours
    if named == ours:
        return resale.NO_EXCHANGE
    return providers_exchange_nanos if named == providers else None


def in_ours(nanos: int, *, exchange_nanos: int) -> int:
    """Nanos of another currency in nanos of ours, rounded up."""
    return -(-nanos * exchange_nanos // resale.NO_EXCHANGE)
