"""Refill requests: only for own orders, and one at a time."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from panel.db import db, transaction
from panel.domain.errors import NotFound, RefillNotAvailable
from panel.domain.status import Status
from panel.models import Order
from panel.services.orders import refills
from tests.support.factories import NOON, a_customer, an_order, reload

SOON = NOON + timedelta(hours=1)


def test_someone_elses_order_is_not_found_and_not_refilled() -> None:
    order = an_order(status=Status.COMPLETED, refill_days=30)
    stranger = a_customer()

    with pytest.raises(NotFound), transaction():
        refills.request_refill(order.id, customer_id=stranger.id, now=SOON)

    assert reload(order).status == Status.COMPLETED


@pytest.mark.both_engines
def test_second_refill_while_one_runs_is_refused_with_the_reason() -> None:
    order = an_order(status=Status.COMPLETED, refill_days=30)
    with transaction():
        refills.request_refill(order.id, customer_id=order.customer_id, now=SOON)
    with transaction():
        # The order's status alone must not decide.
        db.session.execute(update(Order).where(Order.id == order.id).values(status=Status.COMPLETED))

    with pytest.raises(RefillNotAvailable) as refused, transaction():
        refills.request_refill(order.id, customer_id=order.customer_id, now=SOON)

    assert "refill" in str(refused.value)
