"""Settlement: kept and returned always add up to the charge, exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.domain import money, pricing
from panel.domain.settlement import settle
from panel.domain.status import Status

QUANTITY = st.integers(1, pricing.MAX_QUANTITY)
PRICE = st.integers(1, pricing.MAX_PRICE_MICROS_PER_THOUSAND)


@given(st.sampled_from(Status), QUANTITY, PRICE, st.data())
def test_kept_and_returned_are_the_charge_or_nothing_while_it_is_held(
    status: Status, quantity: int, price: int, data: st.DataObject
) -> None:
    remains = data.draw(st.integers(0, quantity))

    settled = settle(status, quantity=quantity, remains=remains, price_micros_per_thousand=price)

    assert settled.kept_nanos >= 0 and settled.returned_nanos >= 0
    charge = 0 if status.is_open else quantity * price
    assert settled.kept_nanos + settled.returned_nanos == charge


@given(QUANTITY, PRICE, st.data())
def test_partial_returns_exactly_what_was_not_delivered(quantity: int, price: int, data: st.DataObject) -> None:
    remains = data.draw(st.integers(0, quantity))

    settled = settle(Status.PARTIAL, quantity=quantity, remains=remains, price_micros_per_thousand=price)

    assert settled.returned_nanos == remains * price
    assert settled.kept_nanos == (quantity - remains) * price


@pytest.mark.parametrize(
    ("status", "kept", "returned"),
    [
        (Status.PENDING, "0", "0"),
        (Status.PROCESSING, "0", "0"),
        (Status.IN_PROGRESS, "0", "0"),
        (Status.COMPLETED, "0.90", "0"),
        (Status.PARTIAL, "0.576", "0.324"),
        (Status.CANCELED, "0", "0.90"),
        (Status.REFILL, "0.90", "0"),
    ],
)
def test_each_status_divides_the_charge_as_the_table_says(status: Status, kept: str, returned: str) -> None:
    settled = settle(status, quantity=1_000, remains=360, price_micros_per_thousand=900_000)

    assert settled.kept_nanos == money.parse_nanos(kept)
    assert settled.returned_nanos == money.parse_nanos(returned)


@pytest.mark.parametrize("remains", [-1, 101])
def test_remains_outside_the_order_are_an_impossible_state(remains: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        settle(Status.PARTIAL, quantity=100, remains=remains, price_micros_per_thousand=900_000)
