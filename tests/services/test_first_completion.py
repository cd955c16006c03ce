"""What stays as it first was: the time of completion that a refill window counts from, and who hands an order over."""

from datetime import timedelta

import pytest

from panel.db import transaction
from panel.domain.status import Status
from panel.services.orders import transitions
from tests.support.factories import NOON, again, an_order


@pytest.mark.both_engines
def test_refill_that_ends_leaves_the_first_completion_as_it_was() -> None:
    order = an_order(status=Status.REFILL, now=NOON)

    with transaction():
        claimed = transitions.claim_one(order.id)
        transitions.move_order(claimed, Status.COMPLETED, remains=0, now=NOON + timedelta(days=9))

    assert again(order).completed_at == NOON


def test_order_fulfilled_by_hand_is_never_due_for_hand_over() -> None:
    assert an_order(provider="manual").dispatch_at is None
    assert an_order().dispatch_at == NOON
