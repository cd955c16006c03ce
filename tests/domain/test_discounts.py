"""A group's discount: rounded up to a whole micro-dollar, never below the exact price."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from panel.domain import pricing


@given(st.integers(1, pricing.MAX_PRICE_MICROS_PER_THOUSAND), st.integers(0, 9_999))
def test_price_of_a_thousand_is_less_than_one_micro_above_the_exact_price(price: int, points: int) -> None:
    exact = price * Fraction(pricing.BASIS_POINTS - points, pricing.BASIS_POINTS)

    found = pricing.discounted(price, basis_points=points, is_package=False)

    assert exact <= found < exact + 1
    assert 0 < found <= price


@given(st.integers(1, pricing.MAX_PACKAGE_PRICE), st.integers(0, 9_999))
def test_price_of_a_package_is_less_than_one_micro_above_the_exact_price(price: int, points: int) -> None:
    exact = price * Fraction(pricing.BASIS_POINTS - points, pricing.BASIS_POINTS)

    found = pricing.discounted(price, basis_points=points, is_package=True)

    assert exact <= found < exact + pricing.PACKAGES_PER_THOUSAND
    assert 0 < found <= price
    assert found == price or found % pricing.PACKAGES_PER_THOUSAND == 0
