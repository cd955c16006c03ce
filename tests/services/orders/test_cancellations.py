"""Cancellation requests: only for own orders; the outcome depends on whether a provider may have the order."""

import pytest

from panel.db import db, transaction
from panel.domain.errors import NotFound
from panel.domain.status import Status
from panel.models import Attempt, AttemptKind, AttemptState, Order
from panel.services.orders import cancellations
from tests.support import ledger_oracle
from tests.support.factories import NOON, a_customer, a_tool, an_order, reload

pytestmark = pytest.mark.both_engines


def order_with_attempt(state: AttemptState | None) -> Order:
    """A Pending order, with an attempt in this state if one is given."""
    order = an_order(tool=a_tool(can_cancel=True))
    if state is not None:
        with transaction():
            db.session.add(
                Attempt(
                    order_id=order.id,
                    provider_id=order.provider_id,
                    kind=AttemptKind.ADD,
                    state=state,
                    at=NOON,
                    lease_until=NOON,
                )
            )
    return order


def request(order: Order, *, customer_id: int | None = None) -> None:
    with transaction():
        cancellations.request_cancellation(order.id, customer_id=customer_id or order.customer_id, now=NOON)


def test_order_of_another_customer_cannot_be_canceled() -> None:
    order, stranger = order_with_attempt(None), a_customer()

    with pytest.raises(NotFound):
        request(order, customer_id=stranger.id)

    assert reload(order).status == Status.PENDING


@pytest.mark.parametrize("state", [None, AttemptState.NOT_SENT, AttemptState.REFUSED])
def test_order_that_no_provider_can_have_is_canceled_immediately(state: AttemptState | None) -> None:
    order = order_with_attempt(state)

    request(order)

    assert (reload(order).status, order.returned_nanos) == (Status.CANCELED, order.charge_nanos)
    ledger_oracle.assert_consistent()


@pytest.mark.parametrize("state", [AttemptState.INTENT, AttemptState.UNKNOWN])
def test_order_that_a_provider_may_have_waits_for_its_report(state: AttemptState) -> None:
    order = order_with_attempt(state)

    request(order)

    assert (reload(order).status, order.returned_nanos) == (Status.PENDING, 0)
    ledger_oracle.assert_consistent()
