"""A provider's charge, read exactly, and its worth in our currency."""

import pytest

from panel.domain import resale
from panel.domain.resale import NO_EXCHANGE, UpstreamCharge


@pytest.mark.parametrize(
    ("charge", "nanos"),
    [
        ("0.27819", 278_190_000),
        (0, 0),
        (3, 3_000_000_000),
        ("1e-05", 10_000),
        ("0.0000000000", 0),
        ("0.0000000001", 1),
        (" 1.50 ", 1_500_000_000),
    ],
)
def test_charge_is_read_exactly_and_finer_parts_are_rounded_up(charge: object, nanos: int) -> None:
    assert resale.read_charge(charge, "usd") == UpstreamCharge(nanos, "USD")


@pytest.mark.parametrize("charge", [None, True, "", "-1", "1,5", "nan", [], {}, "9" * 50, "1e30", "2000000000"])
def test_unreadable_charge_is_no_charge(charge: object) -> None:
    assert resale.read_charge(charge, "USD") is None


@pytest.mark.parametrize(
    ("currency", "providers", "rate", "expected"),
    [
        ("USD", "INR", 12_000_000, NO_EXCHANGE),
        ("INR", "INR", 12_000_000, 12_000_000),
        ("", "INR", 12_000_000, 12_000_000),
        ("", "", None, NO_EXCHANGE),
        ("INR", "INR", None, None),
        ("EUR", "INR", 12_000_000, None),
    ],
)
def test_exchange_rate_is_known_for_our_currency_and_the_catalogues(
    currency: str, providers: str, rate: int | None, expected: int | None
) -> None:
    found = resale.exchange(currency, ours="USD", providers=providers, providers_exchange_nanos=rate)

    assert found == expected


def test_cost_in_ours_is_never_rounded_down() -> None:
    assert resale.in_ours(1, exchange_nanos=12_000_000) == 1
    assert resale.in_ours(1_000_000_000, exchange_nanos=12_345_678) == 12_345_678
