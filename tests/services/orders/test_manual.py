"""Manual orders: an operator may make the transitions that the status table allows, and no others."""

import pytest
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused, BadInput, IllegalTransition, NotFound
from panel.domain.refill import RefillState
from panel.domain.status import FACTS, Status
from panel.models import Order, OrderEvent, Refill, Review
from panel.services.orders import manual as manual_orders
from panel.services.orders import refills
from tests.support import ledger_oracle
from tests.support.factories import NOON, an_order, reload


def by_hand(status: Status = Status.PENDING, *, remains: int | None = None) -> Order:
    return an_order(status=status, remains=remains, provider="manual")


def set_order(order: Order, to: Status, *, remains: int | None = None, start_count: int | None = None) -> Order:
    with transaction():
        manual_orders.set_order(order.id, to, remains=remains, start_count=start_count, reason="By hand.", now=NOON)
    return reload(order)


def refused(order: Order, to: Status, error: type[Exception], *, remains: int | None = None) -> None:
    """Assert that the action is refused and writes nothing."""
    untouched = ledger_oracle.all_rows()
    with pytest.raises(error):
        set_order(order, to, remains=remains)
    assert ledger_oracle.all_rows() == untouched


@pytest.mark.parametrize("before", [status for status in Status if status is not Status.REFILL])
def test_order_by_hand_moves_as_the_table_allows(before: Status) -> None:
    for to in set(FACTS[before].next) - {Status.REFILL}:
        order = set_order(by_hand(before), to, remains=400)

        assert (order.status, order.reason) == (to, "By hand.")
    ledger_oracle.assert_consistent()


@pytest.mark.parametrize("before", [status for status in Status if status is not Status.REFILL])
def test_order_by_hand_moves_no_other_way(before: Status) -> None:
    order = by_hand(before)

    for to in set(Status) - {before, Status.REFILL, *FACTS[before].next}:
        refused(order, to, IllegalTransition, remains=400)


def test_order_of_a_provider_is_refused() -> None:
    refused(an_order(), Status.COMPLETED, ActionRefused)


def test_refill_is_asked_for_by_the_customer_alone() -> None:
    refused(by_hand(Status.COMPLETED), Status.REFILL, ActionRefused)


def test_unknown_order_is_not_found() -> None:
    with pytest.raises(NotFound), transaction():
        manual_orders.set_order(9, Status.COMPLETED, remains=None, start_count=None, reason=None, now=NOON)


@pytest.mark.parametrize("remains", [-1, 1_001])
def test_remains_outside_the_order_are_refused(remains: int) -> None:
    refused(by_hand(), Status.IN_PROGRESS, BadInput, remains=remains)


def test_partial_needs_to_know_what_was_not_delivered() -> None:
    refused(by_hand(Status.IN_PROGRESS), Status.PARTIAL, BadInput)


WITHOUT_TYPING = {Status.COMPLETED: 0, Status.CANCELED: 1_000, Status.PROCESSING: 1_000}


@pytest.mark.parametrize(("to", "remains"), WITHOUT_TYPING.items())
def test_remains_that_follow_from_the_status_need_not_be_typed(to: Status, remains: int) -> None:
    assert set_order(by_hand(), to).remains == remains


def test_count_and_start_are_written_without_a_move() -> None:
    order = set_order(by_hand(Status.IN_PROGRESS), Status.IN_PROGRESS, remains=123, start_count=77)

    assert (order.status, order.remains, order.start_count) == (Status.IN_PROGRESS, 123, 77)
    ledger_oracle.assert_consistent()


def test_the_same_typed_again_writes_nothing() -> None:
    order = set_order(by_hand(), Status.IN_PROGRESS, remains=123)
    untouched = ledger_oracle.all_rows()

    set_order(order, Status.IN_PROGRESS, remains=123)

    assert ledger_oracle.all_rows() == untouched


def test_partial_by_hand_returns_what_was_not_delivered_once() -> None:
    order = set_order(by_hand(Status.IN_PROGRESS), Status.PARTIAL, remains=360)

    set_order(order, Status.PARTIAL, remains=999)

    assert (reload(order).remains, order.returned_nanos) == (360, 360 * 900_000)
    ledger_oracle.assert_consistent()


def test_refill_by_hand_ends_with_completed() -> None:
    order = by_hand(Status.COMPLETED)
    with transaction():
        refills.request_refill(order.id, customer_id=order.customer_id, now=NOON)
    assert reload(order).status == Status.REFILL
    assert db.session.scalars(select(Review.kind)).all() == ["refill_by_hand"]

    set_order(order, Status.COMPLETED)

    assert reload(order).status == Status.COMPLETED
    assert db.session.scalars(select(Refill.state)).all() == [RefillState.COMPLETED]
    assert db.session.scalars(select(OrderEvent.status).order_by(OrderEvent.id)).all()[-2:] == ["refill", "completed"]
    ledger_oracle.assert_consistent()


def test_order_in_refill_becomes_nothing_but_completed() -> None:
    order = by_hand(Status.COMPLETED)
    with transaction():
        refills.request_refill(order.id, customer_id=order.customer_id, now=NOON)

    for to in set(Status) - {Status.COMPLETED, Status.REFILL}:
        refused(reload(order), to, IllegalTransition, remains=400)
