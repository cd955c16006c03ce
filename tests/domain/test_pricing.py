"""Pricing: the charge is a product of integers, and a quantity is plain digits within the tool's limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.domain import money, pricing
from panel.domain.errors import BadQuantity, QuantityTooLarge, QuantityTooSmall


@given(
    st.integers(1, pricing.MAX_QUANTITY),
    st.integers(1, pricing.MAX_PRICE_MICROS_PER_THOUSAND),
)
def test_charge_of_any_order_fits_a_64_bit_column(quantity: int, price: int) -> None:
    charge = pricing.charge_nanos(quantity=quantity, price_micros_per_thousand=price)

    assert 0 < charge < 2**63


def test_charge_is_price_per_thousand_times_pieces() -> None:
    price = money.parse_price_micros("0.90")

    assert pricing.charge_nanos(quantity=1_000, price_micros_per_thousand=price) == money.parse_nanos("0.90")
    assert pricing.charge_nanos(quantity=1, price_micros_per_thousand=price) == money.parse_nanos("0.0009")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "+5",
        "1e3",
        "1.5",
        "1,000",
        " 100",
        "100 ",
        "100\n",
        "１００",
        "٣",
        "0x1f",
        "1_000",
        "abc",
        "9" * 32,
    ],
)
def test_quantity_in_any_other_notation_is_refused(text: str) -> None:
    with pytest.raises(BadQuantity) as refused:
        pricing.parse_quantity(text)

    assert refused.value.field == "quantity"
    assert refused.value.http_status == 422


@pytest.mark.parametrize("text", ["0", "49"])
def test_less_than_the_minimum_is_refused_with_the_minimum_named(text: str) -> None:
    with pytest.raises(QuantityTooSmall, match="50") as refused:
        pricing.check_quantity(pricing.parse_quantity(text), minimum=50, maximum=10_000)

    assert refused.value.field == "quantity"


@pytest.mark.parametrize("text", ["10001", str(2**63), str(10**30)])
def test_more_than_the_maximum_is_refused_with_the_maximum_named(text: str) -> None:
    with pytest.raises(QuantityTooLarge, match="10,000") as refused:
        pricing.check_quantity(pricing.parse_quantity(text), minimum=50, maximum=10_000)

    assert refused.value.field == "quantity"


@pytest.mark.parametrize("quantity", [50, 51, 9_999, 10_000])
def test_the_limits_themselves_can_be_ordered(quantity: int) -> None:
    pricing.check_quantity(pricing.parse_quantity(str(quantity)), minimum=50, maximum=10_000)

    assert pricing.parse_quantity(str(quantity)) == quantity


@given(st.text(max_size=40))
def test_any_text_is_a_number_or_refused_and_never_a_crash(text: str) -> None:
    try:
        quantity = pricing.parse_quantity(text)
    except BadQuantity:
        assert not (text.isascii() and text.isdigit() and len(text) <= 31)
    else:
        assert quantity >= 0 and text.isascii() and text.isdigit()


SEPARATORS = [",", " ", "\u00a0", "\u202f", "\u2009", "\u2007"]


@given(st.integers(0, pricing.MAX_QUANTITY), st.sampled_from(SEPARATORS), st.sampled_from(["", " ", "\n"]))
def test_quantity_with_one_kind_of_thousands_separator_is_read_exactly(
    quantity: int, separator: str, around: str
) -> None:
    typed = around + f"{quantity:,}".replace(",", separator) + around

    assert pricing.parse_quantity(pricing.ungrouped(typed)) == quantity


@given(st.text(alphabet="0123456789,. \u00a0\u2009-+e", max_size=15))
def test_text_is_read_as_a_quantity_only_where_groups_are_of_three_and_alike(typed: str) -> None:
    try:
        quantity = pricing.parse_quantity(pricing.ungrouped(typed))
    except BadQuantity:
        return

    forms = {f"{quantity:,}".replace(",", separator) for separator in SEPARATORS}
    assert typed.strip() in forms or (typed.strip().isdigit() and int(typed) == quantity)


@pytest.mark.parametrize("text", ["1,00", "1.000", "1,0000", "1,000 000", "0,100", ",100", "1,,000", "1000,000"])
def test_doubtful_groups_are_refused(text: str) -> None:
    with pytest.raises(BadQuantity):
        pricing.parse_quantity(pricing.ungrouped(text))
