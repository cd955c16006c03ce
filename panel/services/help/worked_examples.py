"""The example order of the help pages: its money in each status, divided by the rule that runs orders."""

from dataclasses import dataclass

from panel.domain import pricing, settlement
from panel.domain.status import Status

# The order of every worked sum, so that the seven pages can be compared.
EXAMPLE_QUANTITY = 1_000
EXAMPLE_PRICE_MICROS = 2_400_000


@dataclass(frozen=True)
class WorkedSum:
    """An order of the example's size in one status, with its money divided by the rule that runs orders."""

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
    """The example order in this status: what was charged, and where each part of it is."""
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
