"""Order timestamps that never change: first start, first completion, due time for dispatch."""

from datetime import timedelta

import pytest

from panel.db import transaction
from panel.domain.status import Status
from panel.services.orders import transitions
from tests.support.factories import NOON, an_order, reload


@pytest.mark.both_engines
def test_refill_that_ends_leaves_the_first_completion_as_it_was() -> None:
    order = an_order(status=Status.REFILL, now=NOON)

    with transaction():
        claimed = transitions.lock_order(order.id)
        transitions.move_order(claimed, Status.COMPLETED, remains=0, now=NOON + timedelta(days=9))

    assert reload(order).completed_at == NOON


def test_manual_order_is_never_due_for_dispatch() -> None:
    assert an_order(provider="manual").dispatch_at is None
    assert an_order().dispatch_at == NOON


@pytest.mark.both_engines
def test_later_counts_leave_the_first_start_as_it_was() -> None:
    order = an_order(status=Status.IN_PROGRESS, now=NOON)
    started = reload(order).started_at

    with transaction():
        locked = transitions.lock_order(order.id)
        transitions.move_order(locked, Status.IN_PROGRESS, remains=1, now=NOON + timedelta(hours=2))

    assert started == NOON
    assert reload(order).started_at == started
