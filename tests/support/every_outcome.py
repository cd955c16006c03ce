"""A customer with one order of every outcome. All amounts differ, so that tests notice a mix-up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from panel.db import transaction
from panel.domain.status import Status
from panel.models import User
from panel.services.orders import goodwill, refills
from panel.services.orders.goodwill import Gift
from tests.support.factories import NOON, a_customer, a_tool, an_operator, an_order
from tests.support.ledger_figures import order_money

# Quantities and remains are odd and all different; the price has six nonzero digits.
PRICE = "0.913007"
OUTCOMES: dict[str, tuple[Status, int, int | None]] = {
    "pending": (Status.PENDING, 1_009, None),
    "processing": (Status.PROCESSING, 1_103, None),
    "in progress": (Status.IN_PROGRESS, 1_201, 311),
    "completed": (Status.COMPLETED, 1_301, None),
    "partial": (Status.PARTIAL, 1_409, 523),
    "partial, nothing ran": (Status.PARTIAL, 1_511, 1_511),
    "partial, all ran": (Status.PARTIAL, 1_601, 0),
    "canceled": (Status.CANCELED, 1_709, None),
    "in refill": (Status.COMPLETED, 1_801, None),
    "goodwill": (Status.COMPLETED, 1_901, None),
    "partial with goodwill": (Status.PARTIAL, 2_003, 601),
}
ENDED = (
    "completed",
    "partial",
    "partial, nothing ran",
    "partial, all ran",
    "canceled",
    "goodwill",
    "partial with goodwill",
)
GIFTS = {"goodwill": (123_456_789, 70_000_001), "partial with goodwill": (234_567_891,)}


@dataclass(frozen=True)
class World:
    """The customer, and the order id of each outcome."""

    customer: User
    orders: dict[str, int]

    @property
    def customer_id(self) -> int:
        return int(self.customer.id)


def every_outcome(*, now: datetime = NOON) -> World:
    """Create the orders above, and another customer whose amounts differ as well."""
    tool = a_tool("odd-visits", price=PRICE, maximum=10_000_000)
    customer = a_customer("987.654321")
    orders = {
        name: an_order(customer=customer, tool=tool, status=status, quantity=quantity, remains=remains, now=now).id
        for name, (status, quantity, remains) in OUTCOMES.items()
    }
    operator_id = an_operator().id
    for name, amounts in GIFTS.items():
        for number, amount in enumerate(amounts, start=1):
            gift = Gift(amount, "It ran late.", number, "olga", operator_id, 10**12)
            with transaction():
                goodwill.give(orders[name], gift, now=now)
    with transaction():
        refills.request_refill(orders["in refill"], customer_id=customer.id, now=now)
    _another_customer(now=now)
    _assert_different(orders.values())
    return World(customer, orders)


def _another_customer(*, now: datetime) -> None:
    other = a_customer("55.5")
    tool = a_tool("other-visits", price="1.7")
    an_order(customer=other, tool=tool, status=Status.PARTIAL, quantity=777, remains=111, now=now)
    an_order(customer=other, tool=tool, quantity=333, now=now)


def _assert_different(order_ids: Iterable[int]) -> None:
    """Charged, kept, returned and goodwill amounts of an order all differ where possible, and so do all charges."""
    found = [order_money(number) for number in order_ids]
    assert len({each.charged for each in found}) == len(found)
    for each in found:
        parts = [amount for amount in (each.kept, each.returned, each.held) if amount]
        assert len(set(parts)) == len(parts)
        assert len(parts) == 1 or each.charged not in parts
