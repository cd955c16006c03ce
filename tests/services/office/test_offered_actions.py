"""Offered actions: each one succeeds, for orders of every status and kind of provider."""

from collections.abc import Iterator

from panel.db import db, transaction
from panel.domain.errors import PanelError
from panel.domain.status import Status
from panel.models import Order
from panel.services.office import assignments, manual_orders, order_actions
from panel.services.office.manual_orders import HandWork
from panel.services.office.order_actions import OrderAction, RequestedAction
from panel.services.orders import refills, transitions
from panel.services.orders.transitions import OrderRow
from tests.support import ledger_oracle
from tests.support.factories import NOON, a_customer, an_operator, an_order

ACTIONS = (OrderAction.ASK, OrderAction.REVIEW, OrderAction.CANCEL)
PROVIDERS = ("simulated", "manual")


class _RollBack(Exception):
    """Raised to roll back an attempted action."""


def orders() -> Iterator[Order]:
    """One order of every status for each kind of provider."""
    customer = a_customer("1000")
    for provider in PROVIDERS:
        for status in Status:
            if status is not Status.REFILL:
                yield an_order(customer=customer, provider=provider, status=status, quantity=100)
        refilled = an_order(customer=customer, provider=provider, status=Status.COMPLETED, quantity=100)
        with transaction():
            refills.request_refill(refilled.id, customer_id=customer.id, now=NOON)
        yield refilled


def row_of(order: Order) -> OrderRow:
    db.session.rollback()
    row = transitions.read_order(order.id)
    assert row is not None
    return row


def can(order_id: int, requested: RequestedAction, *, version: int) -> bool:
    """Whether the action succeeds. It is rolled back."""
    try:
        with transaction():
            order_actions.do(order_id, requested, version=version, now=NOON)
            raise _RollBack
    except PanelError:
        return False
    except _RollBack:
        return True


def can_set(order_id: int, work: HandWork) -> bool:
    try:
        with transaction():
            manual_orders.set_order(order_id, work, now=NOON)
            raise _RollBack
    except PanelError:
        return False
    except _RollBack:
        return True


def test_offered_are_the_actions_that_succeed_and_no_others() -> None:
    operator = an_operator()
    for order in orders():
        row = row_of(order)
        offered = {each.action for each in order_actions.offered(row, operator_id=operator.id, now=NOON)}
        requests = {action: RequestedAction(action, "By the book.", operator.email, operator.id) for action in ACTIONS}

        possible = {action for action, requested in requests.items() if can(order.id, requested, version=row.version)}

        assert offered == possible, (row.status, order.provider_id)
        assert OrderAction.REVIEW in offered


def test_offered_statuses_are_the_ones_that_can_be_set() -> None:
    operator, seen = an_operator(), set()
    for order in orders():
        row = row_of(order)
        offered = set(order_actions.offered_statuses(row, operator_id=operator.id, now=NOON))
        seen |= offered

        for to in offered:
            remains = 10 if to is Status.PARTIAL else None
            work = HandWork(to, remains, None, "By the book.", row.version, operator.id, operator.email)
            assert can_set(order.id, work), (row.status, to)
        if not assignments.is_by_hand(order.provider_id):
            assert not offered
    assert {Status.PROCESSING, Status.IN_PROGRESS, Status.COMPLETED, Status.PARTIAL, Status.CANCELED} <= seen
    ledger_oracle.assert_consistent()


def test_nothing_is_offered_by_hand_while_another_operator_works_on_the_order() -> None:
    order = an_order(provider="manual", status=Status.IN_PROGRESS)
    otto, olga = an_operator(email="otto@example.com"), an_operator(email="olga@example.com")
    with transaction():
        assignments.assign(order.id, operator_id=otto.id, actor=otto.email, now=NOON)

    assert order_actions.offered_statuses(row_of(order), operator_id=olga.id, now=NOON) == ()
    assert order_actions.offered_statuses(row_of(order), operator_id=otto.id, now=NOON) != ()
