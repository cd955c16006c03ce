"""Settlement: how the charge of an order is divided when the order ends."""

from dataclasses import dataclass

from panel.domain.status import ChargeState, Status


@dataclass(frozen=True)
class Settlement:
    """Kept and returned amounts in nanos. They add up to the charge, or are both 0 while it is on hold."""

    kept_nanos: int
    returned_nanos: int


def settle(status: Status, *, quantity: int, remains: int, price_micros_per_thousand: int) -> Settlement:
    """Divide the charge by the status. Raises ValueError for remains outside 0..quantity."""
    if not 0 <= remains <= quantity:
        raise ValueError(f"remains {remains} is outside 0..{quantity}")
    charge = quantity * price_micros_per_thousand
    match status.facts.money:
        case ChargeState.HELD:
            return Settlement(kept_nanos=0, returned_nanos=0)
        case ChargeState.KEPT:
            return Settlement(kept_nanos=charge, returned_nanos=0)
        case ChargeState.RETURNED:
            return Settlement(kept_nanos=0, returned_nanos=charge)
        case ChargeState.SPLIT:
            returned = remains * price_micros_per_thousand
            return Settlement(kept_nanos=charge - returned, returned_nanos=returned)
