"""Import markup: prices are exact, rounded up once, and many price cuts need a confirmation."""

import pytest

from panel.db import transaction
from panel.domain import resale
from panel.domain.errors import BadInput
from panel.services.catalogue import tool_settings
from panel.services.catalogue.provider_markup import PriceChange, PricesWouldFall
from tests.support.catalogue_imports import a_row, imported, offered
from tests.support.factories import NOON

pytestmark = pytest.mark.both_engines


@pytest.mark.parametrize(
    ("rate", "margin", "micros"),
    [
        ("0.90", "20%", 1_080_000),
        ("0.000001", "1%", 2),
        ("0.333333", "12.5%", 375_000),
        ("0.1", "0", 100_000),
        (3, "0.0001%", 3_000_003),
        ("1.1", "33.3333", 1_466_667),
        ("0.5000000000", "0", 500_000),
        ("0.50000000000000000000000000000000000", "0", 500_000),
        ("1e-05", "0", 10),
        ("1E-05", "0", 10),
        ("2.5e2", "0", 250_000_000),
        ("1e3", "0", 1_000_000_000),
        (".5", "0", 500_000),
        ("1.", "0", 1_000_000),
        ("0.0000001", "0", 1),
        ("0.0000011", "0", 2),
        # Rounded once: a cost of 1.0000001 with 10 % is 1.10000011, not 1.100001100001.
        ("1.0000001", "10%", 1_100_001),
    ],
)
def test_the_price_is_the_rate_and_the_margin_rounded_up_to_a_micro(rate: object, margin: str, micros: int) -> None:
    imported(a_row(rate=rate), margin=margin)

    assert offered().price_micros_per_thousand == micros


@pytest.mark.parametrize(
    ("rate", "exchange", "margin", "micros"),
    [
        ("1.00", "1.0825", "0", 1_082_500),
        ("90.50", "0.011", "20%", 1_194_600),
        ("0.000001", "0.000000001", "0", 1),
        ("20000", "0.00004", "12.5%", 900_000),
        ("0.333333", "3", "0", 999_999),
        ("0.3333333", "3", "0", 1_000_000),
    ],
)
def test_the_price_of_another_currency_is_exchanged_exactly_and_rounded_once(
    rate: str, exchange: str, margin: str, micros: int
) -> None:
    imported(a_row(rate=rate), exchange=exchange, margin=margin)

    assert offered().price_micros_per_thousand == micros


def test_old_and_new_prices_are_listed() -> None:
    imported(a_row(), a_row(2), a_row(3))
    with transaction():
        tool_settings.set_field("page-visits-1", "price_per_thousand", "5", actor="anna", now=NOON)

    did = imported(a_row(rate="1"), a_row(2, rate="1"), a_row(3), a_row(4))

    assert did.prices == [PriceChange("page-visits-2", 900_000, 1_000_000)]


@pytest.mark.parametrize(("falling", "rising"), [(11, 40), (2, 1), (1, 0)])
def test_many_falling_prices_change_nothing_until_confirmed(falling: int, rising: int) -> None:
    numbers = range(1, falling + rising + 1)
    imported(*[a_row(number) for number in numbers], margin="20%")
    after = [a_row(number, rate="0.89" if number <= falling else "0.91") for number in numbers]

    with pytest.raises(PricesWouldFall) as refused:
        imported(*after, margin="20%", may_fall=False)

    assert f"{falling} prices would fall" in refused.value.message
    assert len(refused.value.changes) == falling + rising
    assert offered().price_micros_per_thousand == 1_080_000
    imported(*after, margin="20%")
    assert offered().price_micros_per_thousand == 1_068_000


@pytest.mark.parametrize(("falling", "rising"), [(10, 10), (1, 1), (0, 30)])
def test_few_prices_fall_without_a_question(falling: int, rising: int) -> None:
    numbers = range(1, falling + rising + 1)
    imported(*[a_row(number) for number in numbers])

    did = imported(*[a_row(n, rate="0.89" if n <= falling else "0.91") for n in numbers], may_fall=False)

    assert len(did.changed) == falling + rising


@pytest.mark.parametrize("margin", ["", "-5%", "abc", "1001%", "1e2", "20%%", "٢%", "0.00001%"])
def test_a_margin_that_is_none_is_refused(margin: str) -> None:
    with pytest.raises(BadInput):
        resale.read_margin(margin)


@pytest.mark.parametrize("rate", ["", "0", "0.0", "-1", "1e2", "abc", "1.0000000001", "1,08", "٢"])
def test_a_rate_of_exchange_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(BadInput):
        resale.read_exchange(rate)


@pytest.mark.parametrize("text", ["0.9", "12.5", "1", "0.000000001", "100"])
def test_a_rate_of_exchange_is_shown_as_it_is_read(text: str) -> None:
    assert resale.shown_exchange(resale.read_exchange(text)) == text
