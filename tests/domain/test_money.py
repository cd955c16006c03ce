"""Money: whole nanos, parsed and printed without rounding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.domain import money
from panel.domain.errors import BadMoney
from panel.domain.money import AmountFormat, CurrencyDisplay

NANOS = st.integers(min_value=0, max_value=10**18 - 1)
MICROS = st.integers(min_value=0, max_value=10**15 - 1)


@given(NANOS)
def test_amount_printed_and_parsed_again_is_the_same(nanos: int) -> None:
    assert money.parse_nanos(money.plain(nanos)) == nanos


@given(MICROS)
def test_price_printed_and_parsed_again_is_the_same(micros: int) -> None:
    assert money.parse_price_micros(money.plain_price(micros)) == micros


@given(NANOS)
def test_printed_amount_has_two_digits_and_no_zero_beyond_them(nanos: int) -> None:
    _, _, part = money.plain(nanos).partition(".")

    assert 2 <= len(part) <= 9
    assert len(part) == 2 or not part.endswith("0")


@given(NANOS)
def test_negative_amount_is_the_positive_one_with_a_minus(nanos: int) -> None:
    assert money.plain(-nanos) == (f"-{money.plain(nanos)}" if nanos else "0.00")


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("0", 0),
        ("25", 25_000_000_000),
        ("12.50", 12_500_000_000),
        ("0.27819", 278_190_000),
        ("0.000000001", 1),
        ("0.90", 900_000_000),
        (" 1.5 ", 1_500_000_000),
        ("007", 7_000_000_000),
        ("999999999.999999999", 10**18 - 1),
    ],
)
def test_amounts_are_read_exactly(text: str, nanos: int) -> None:
    assert money.parse_nanos(text) == nanos


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "1,000",
            ".5",
            "5.",
            "1.2.3",
            "0x10",
            "1_000",
            "NaN",
            "inf",
            "$5",
        ),
        *("１０", "١٢", "²", "1 000", "1\n", "\t1", "1\u00a0", "1000000000", "0.0000000001", "1.0000000000"),
    ],
)
def test_amount_in_any_other_notation_is_refused(text: str) -> None:
    with pytest.raises(BadMoney):
        money.parse_nanos(text)


def test_price_finer_than_a_micro_is_refused() -> None:
    assert money.parse_price_micros("0.000001") == 1
    assert money.parse_price_micros("0.900000000") == 900_000
    with pytest.raises(BadMoney, match="at most 6 decimals"):
        money.parse_price_micros("0.0000001")


@given(st.text(max_size=24))
def test_any_text_is_an_amount_or_refused_and_never_a_crash(text: str) -> None:
    try:
        nanos = money.parse_nanos(text)
    except BadMoney as refused:
        assert refused.message.endswith(".")
    else:
        assert 0 <= nanos < 10**18


@pytest.mark.parametrize(
    ("nanos", "shown"),
    [
        (0, "$0.00"),
        (864_000_000, "$0.864"),
        (1_204_864_000_000, "$1,204.864"),
        (-5_000_000_000, "−$5.00"),
        (1, "$0.000000001"),
        (999_999_999_999, "$999.999999999"),
    ],
)
def test_amounts_are_shown_as_people_write_them(nanos: int, shown: str) -> None:
    assert money.shown(nanos) == shown


def test_currency_has_its_sign_or_its_letters() -> None:
    assert money.shown(1_500_000_000, written=AmountFormat("EUR")) == "€1.50"
    assert money.shown(1_500_000_000, written=AmountFormat("CHF")) == "1.50\N{NO-BREAK SPACE}CHF"
    assert money.shown_price(900_000) == "$0.90"


@pytest.mark.parametrize(
    ("currency", "display", "shown"),
    [
        ("USD", CurrencyDisplay.SIGN, "−$1,204.50"),
        ("USD", CurrencyDisplay.COUNTRY_SIGN, "−US$1,204.50"),
        ("USD", CurrencyDisplay.CODE, "−1,204.50\N{NO-BREAK SPACE}USD"),
        ("EUR", CurrencyDisplay.COUNTRY_SIGN, "−€1,204.50"),
        ("EUR", CurrencyDisplay.CODE, "−1,204.50\N{NO-BREAK SPACE}EUR"),
        ("CHF", CurrencyDisplay.COUNTRY_SIGN, "−1,204.50\N{NO-BREAK SPACE}CHF"),
    ],
)
def test_amount_is_written_with_its_sign_its_country_or_its_code(
    currency: str, display: CurrencyDisplay, shown: str
) -> None:
    assert money.shown(-1_204_500_000_000, written=AmountFormat(currency, display)) == shown
