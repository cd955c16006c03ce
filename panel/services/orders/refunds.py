"""Settlement of an ending order: the held charge is kept, returned or divided, exactly once."""

from dataclasses import dataclass

from panel.domain.settlement import Settlement, settle
from panel.domain.status import Status
from panel.models import AccountKind, TransferKind
from panel.services.money.ledger import Posting


@dataclass(frozen=True)
class Charge:
    """The charge of an order and how much of it is settled."""

    order_id: int
    customer_id: int
    quantity: int
    price_micros_per_thousand: int
    settled_nanos: int


def settlement_of(charge: Charge, *, to: Status, remains: int) -> tuple[Settlement | None, list[Posting]]:
    """The settlement for a move to the status `to`, and its transfers.

    None and no transfers while money stays held, or if it was settled before: a second refund is impossible.
    """
    if to.is_open or charge.settled_nanos:
        return None, []
    settlement = settle(
        to,
        quantity=charge.quantity,
        remains=remains,
        price_micros_per_thousand=charge.price_micros_per_thousand,
    )
    postings = []
    if settlement.returned_nanos:
        postings.append(_posting(charge, charge.customer_id, settlement.returned_nanos, TransferKind.RETURN))
    if settlement.kept_nanos:
        postings.append(_posting(charge, AccountKind.SALES, settlement.kept_nanos, TransferKind.KEEP))
    return settlement, postings


def _posting(charge: Charge, target: int | AccountKind, amount_nanos: int, kind: TransferKind) -> Posting:
    return Posting(
        source=AccountKind.HOLDS,
        target=target,
        amount_nanos=amount_nanos,
        kind=kind,
        reason=f"{kind}:order:{charge.order_id}",
        order_id=charge.order_id,
        customer_id=charge.customer_id,
    )
