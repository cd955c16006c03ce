"""Refunds: an ended order's charge is split to the nano, in ledger transfers, exactly once."""

import pytest
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain import money, pricing
from panel.domain.status import ChargeState, Status
from panel.models import AccountKind, Transfer, TransferKind
from panel.services.money import ledger
from panel.services.orders import refunds, transitions
from panel.services.orders.refunds import Charge
from tests.support import ledger_oracle
from tests.support.factories import NOON, a_customer, a_tool, an_order, reload

ENDED = [status for status in Status if not status.is_open]
LARGEST = pricing.MAX_QUANTITY * pricing.MAX_PRICE_MICROS_PER_THOUSAND


def a_charge(*, quantity: int, price: int, settled_nanos: int = 0) -> Charge:
    return Charge(1, 2, quantity, price, settled_nanos)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("price", [1, 333_333, pricing.MAX_PRICE_MICROS_PER_THOUSAND])
def test_every_remains_of_a_small_order_settles_to_the_nano(status: Status, price: int) -> None:
    for quantity in range(1, 8):
        for remains in range(quantity + 1):
            settled, postings = refunds.settlement_of(
                a_charge(quantity=quantity, price=price), to=status, remains=remains
            )

            returned = {
                ChargeState.HELD: 0,
                ChargeState.KEPT: 0,
                ChargeState.SPLIT: remains * price,
                ChargeState.RETURNED: quantity * price,
            }
            back = returned[status.facts.money]
            kept = 0 if status.is_open else quantity * price - back
            moved = {posting.kind: posting.amount_nanos for posting in postings}
            assert moved == {kind: sum_ for kind, sum_ in (("return", back), ("keep", kept)) if sum_}
            assert (settled is None) == status.is_open


def test_returned_part_goes_to_the_customer_and_kept_part_to_sales() -> None:
    _, postings = refunds.settlement_of(a_charge(quantity=10, price=5), to=Status.PARTIAL, remains=4)

    ways = [(posting.source, posting.target, posting.reason) for posting in postings]
    assert ways == [
        (AccountKind.HOLDS, 2, "return:order:1"),
        (AccountKind.HOLDS, AccountKind.SALES, "keep:order:1"),
    ]


@pytest.mark.parametrize("status", Status)
def test_order_that_was_settled_is_never_settled_again(status: Status) -> None:
    charge = a_charge(quantity=10, price=5, settled_nanos=50)

    assert refunds.settlement_of(charge, to=status, remains=10) == (None, [])


@pytest.mark.both_engines
@pytest.mark.parametrize(
    ("status", "remains", "returned_nanos"),
    [
        (Status.PARTIAL, 0, 0),
        (Status.PARTIAL, 1, pricing.MAX_PRICE_MICROS_PER_THOUSAND),
        (Status.PARTIAL, pricing.MAX_QUANTITY - 1, LARGEST - pricing.MAX_PRICE_MICROS_PER_THOUSAND),
        (Status.PARTIAL, pricing.MAX_QUANTITY, LARGEST),
        (Status.COMPLETED, 0, 0),
        (Status.CANCELED, 0, LARGEST),
    ],
)
def test_largest_order_settles_to_the_nano(status: Status, remains: int, returned_nanos: int) -> None:
    customer = a_customer("999999999.999999999")
    with transaction():
        ledger.deposit(customer.id, amount_nanos=1, reason="deposit:the last nano", note="", now=NOON)
    price = money.plain_price(pricing.MAX_PRICE_MICROS_PER_THOUSAND)
    tool = a_tool(price=price, maximum=pricing.MAX_QUANTITY)
    order = an_order(customer=customer, tool=tool, quantity=pricing.MAX_QUANTITY)
    assert (order.charge_nanos, ledger.balance_nanos(customer.id)) == (LARGEST, 0)

    with transaction():
        transitions.move_order(transitions.lock_order(order.id), status, remains=remains, now=NOON)

    assert ledger.balance_nanos(customer.id) == reload(order).returned_nanos == returned_nanos
    assert order.kept_nanos == LARGEST - returned_nanos
    ledger_oracle.assert_consistent()


@pytest.mark.both_engines
def test_smallest_order_settles_to_the_nano() -> None:
    customer = a_customer("0.000000003")
    tool = a_tool(price="0.000001", minimum=1)
    order = an_order(customer=customer, tool=tool, quantity=3, status=Status.PARTIAL, remains=1)

    assert (order.charge_nanos, order.kept_nanos, order.returned_nanos) == (3, 2, 1)
    assert ledger.balance_nanos(customer.id) == 1


@pytest.mark.both_engines
@pytest.mark.parametrize("status", ENDED)
def test_each_settling_transfer_of_an_order_exists_once(status: Status) -> None:
    order = an_order(status=status, remains=400 if status is Status.PARTIAL else None)

    kinds = db.session.scalars(select(Transfer.kind).where(Transfer.order_id == order.id).order_by(Transfer.id)).all()

    ends = {ChargeState.KEPT: ["keep"], ChargeState.RETURNED: ["return"], ChargeState.SPLIT: ["return", "keep"]}
    assert kinds == [TransferKind.CHARGE, *ends[status.facts.money]]
