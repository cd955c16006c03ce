"""Worked examples of the help pages: one order's money in each status, divided by the settlement code itself."""

from dataclasses import dataclass

from panel.domain import pricing, settlement
from panel.domain.status import Status

# The same order on all seven pages, so that they can be compared.
EXAMPLE_QUANTITY = 1_000
EXAMPLE_PRICE_MICROS = 2_400_000


@dataclass(frozen=True)
class WorkedSum:
    """The example order in one status, with its money divided by the settlement code."""

    quantity: int
    price_micros_per_thousand: int
    remains: int
    charge_nanos: int
    held_nanos: int
    kept_nanos: int
    returned_nanos: int

    @property
    def delivered(self) -> int:
        return self.quantity - self.remains


def worked_sum(status: Status, *, remains: int) -> WorkedSum:
    """The example order in this status: the charge, and where each part of it is."""
    charge = pricing.charge_nanos(quantity=EXAMPLE_QUANTITY, price_micros_per_thousand=EXAMPLE_PRICE_MICROS)
    settled = settlement.settle(
        status, quantity=EXAMPLE_QUANTITY, remains=remains, price_micros_per_thousand=EXAMPLE_PRICE_MICROS
    )
    return WorkedSum(
        quantity=EXAMPLE_QUANTITY,
        price_micros_per_thousand=EXAMPLE_PRICE_MICROS,
        remains=remains,
        charge_nanos=charge,
        held_nanos=charge - settled.kept_nanos - settled.returned_nanos,
        kept_nanos=settled.kept_nanos,
        returned_nanos=settled.returned_nanos,
    )
