"""Operator actions on orders: one function, one table of actions, a version check and an audit log entry each."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused, BadInput, IllegalTransition, NotFound, PanelError, StaleOrder
from panel.domain.settlement import Settlement
from panel.domain.status import FACTS, Status
from panel.models import AuditLogEntry, Order, OrderAssignment, Review, User
from panel.providers.base import Accepted
from panel.services.office import assignments, bulk_actions, manual_orders, order_actions
from panel.services.office.manual_orders import HandWork
from panel.services.office.order_actions import OrderAction, RequestedAction
from panel.services.orders import dispatch, transitions
from tests.support import ledger_oracle
from tests.support.factories import NOON, a_customer, a_tool, an_operator, an_order, reload

OLGA = "olga@example.com"


@pytest.fixture(autouse=True)
def _olga() -> None:
    an_operator(email=OLGA)


def olga() -> int:
    """The operator of these tests."""
    return db.session.scalars(select(User.id).where(User.email == OLGA)).one()


def requested(action: OrderAction, *, to: Status | None = None, reason: str = "By the book.") -> RequestedAction:
    return RequestedAction(action, reason, OLGA, olga(), to)


def do(order: Order, wanted: RequestedAction, *, version: int | None = None) -> Order:
    with transaction():
        order_actions.do(order.id, wanted, version=order.version if version is None else version, now=NOON)
    return reload(order)


def refused(call: Callable[[], object], error: type[PanelError]) -> None:
    """Assert that the action is refused and writes nothing."""
    untouched = ledger_oracle.all_rows()
    with pytest.raises(error):
        call()
    assert ledger_oracle.all_rows() == untouched


def log() -> list[tuple[str, str]]:
    return [
        (line.action, line.subject) for line in db.session.scalars(select(AuditLogEntry).order_by(AuditLogEntry.id))
    ]


def by_hand(status: Status = Status.PENDING) -> Order:
    return an_order(status=status, provider="manual")


def work(
    order: Order, to: Status, *, remains: int | None = None, version: int | None = None, who: int | None = None
) -> Order:
    shown = order.version if version is None else version
    change = HandWork(to, remains, None, "By hand.", shown, who or olga(), OLGA)
    with transaction():
        manual_orders.set_order(order.id, change, now=NOON)
    return reload(order)


def test_pending_order_that_nobody_has_is_canceled_with_all_money_back() -> None:
    order = do(an_order(), requested(OrderAction.CANCEL))

    assert (order.status, order.returned_nanos, order.reason) == (Status.CANCELED, order.charge_nanos, "By the book.")
    assert log() == [("orders cancel", f"order {order.id}")]
    ledger_oracle.assert_consistent()


def test_order_that_a_provider_may_have_is_not_canceled_here() -> None:
    tool = a_tool()
    order = an_order(tool=tool)
    with transaction():
        [taken] = dispatch.open_attempts(tool.provider_id, most=1, lease_seconds=60, now=NOON)

    refused(lambda: do(order, requested(OrderAction.CANCEL)), ActionRefused)
    with transaction():
        dispatch.record_outcome(taken.attempt_id, Accepted("77"), now=NOON)
    refused(lambda: do(order, requested(OrderAction.CANCEL)), ActionRefused)
    runs = an_order(status=Status.IN_PROGRESS)
    refused(lambda: do(runs, requested(OrderAction.CANCEL)), ActionRefused)


def test_order_that_moved_since_it_was_shown_is_left_alone() -> None:
    order = an_order(provider="manual")
    for action in (OrderAction.CANCEL, OrderAction.REVIEW, OrderAction.MOVE):
        refused(lambda action=action: do(order, requested(action, to=Status.COMPLETED), version=7), StaleOrder)


def test_provider_is_asked_with_the_next_sweep_about_what_it_has() -> None:
    tool = a_tool()
    order = an_order(tool=tool)
    with transaction():
        [taken] = dispatch.open_attempts(tool.provider_id, most=1, lease_seconds=60, now=NOON)
        dispatch.record_outcome(taken.attempt_id, Accepted("77"), now=NOON - timedelta(hours=1))
        transitions.set_schedule(transitions.lock_order(order.id), sync_at=NOON + timedelta(hours=1))

    assert do(reload(order), requested(OrderAction.ASK)).sync_at == NOON
    for other in (an_order(status=Status.COMPLETED), by_hand()):
        refused(lambda other=other: do(other, requested(OrderAction.ASK)), ActionRefused)


def test_order_that_waits_for_dispatch_becomes_due_immediately() -> None:
    order = an_order(now=NOON + timedelta(hours=1))

    assert do(order, requested(OrderAction.ASK)).dispatch_at == NOON


def test_review_is_opened_once_for_the_same_words() -> None:
    order = an_order()

    do(order, requested(OrderAction.REVIEW))
    do(order, requested(OrderAction.REVIEW))

    review = db.session.scalars(select(Review)).one()
    assert (review.kind, review.order_id, review.text) == ("by_operator", order.id, f"{OLGA}: By the book.")


@pytest.mark.parametrize("reason", ["", " ", "a\nb", "x" * 201])
def test_every_action_needs_its_reason(reason: str) -> None:
    order = an_order()
    for action in (OrderAction.CANCEL, OrderAction.ASK, OrderAction.REVIEW):
        refused(lambda action=action: do(order, requested(action, reason=reason)), BadInput)


@pytest.mark.parametrize("before", [status for status in Status if status is not Status.REFILL])
def test_move_by_hand_obeys_the_table_of_statuses(before: Status) -> None:
    for to in bulk_actions.BULK_STATUSES:
        order = by_hand(before)
        if to in FACTS[before].next:
            assert do(order, requested(OrderAction.MOVE, to=to)).status == to
        elif to is not before:
            refused(lambda order=order, to=to: do(order, requested(OrderAction.MOVE, to=to)), IllegalTransition)
    ledger_oracle.assert_consistent()


def test_orders_of_providers_are_not_moved_by_hand() -> None:
    order = an_order()

    refused(lambda: do(order, requested(OrderAction.MOVE, to=Status.COMPLETED)), ActionRefused)


def test_preview_shows_words_and_money_and_changes_nothing() -> None:
    customer = a_customer("1000")
    waits = an_order(customer=customer)
    runs, manual = an_order(customer=customer, status=Status.IN_PROGRESS), by_hand(Status.IN_PROGRESS)
    untouched = ledger_oracle.all_rows()

    with transaction():
        cancel = bulk_actions.preview([runs.id, waits.id, 999], requested(OrderAction.CANCEL), now=NOON)
        move = bulk_actions.preview([manual.id, waits.id], requested(OrderAction.MOVE, to=Status.COMPLETED), now=NOON)

    assert [(row.line.id, row.effect is not None) for row in cancel.rows] == [(waits.id, True), (runs.id, False)]
    assert (cancel.returned_nanos, cancel.missing) == (900_000_000, (999,))
    assert [row.effect.money for row in move.possible if row.effect] == [Settlement(900_000_000, 0)]
    assert ledger_oracle.all_rows() == untouched


def test_preview_and_action_agree_on_what_is_possible_and_on_its_money() -> None:
    for status in (Status.PENDING, Status.IN_PROGRESS, Status.COMPLETED, Status.PARTIAL):
        for to in bulk_actions.BULK_STATUSES:
            order, wanted = by_hand(status), requested(OrderAction.MOVE, to=to)
            with transaction():
                [row] = bulk_actions.preview([order.id], wanted, now=NOON).rows
            if row.effect is None:
                if status is not to:
                    refused(lambda o=order, w=wanted: do(o, w), PanelError)
                continue
            before = (order.kept_nanos, order.returned_nanos)
            after = do(order, wanted)
            moved = (after.kept_nanos - before[0], after.returned_nanos - before[1])
            assert moved == (row.effect.money.kept_nanos, row.effect.money.returned_nanos)


def test_claimed_order_is_moved_by_its_holder_alone_until_the_claim_ends() -> None:
    first, second = olga(), an_operator().id
    order = by_hand()
    with transaction():
        assignments.assign(order.id, operator_id=first, actor="olga", now=NOON)

    refused(lambda: work(order, Status.IN_PROGRESS, who=second), ActionRefused)
    order = work(order, Status.IN_PROGRESS, who=first)
    held = assignments.assignment_of(order.id, now=NOON)
    assert held is not None
    assert held.operator_id == first
    assert assignments.assignment_of(order.id, now=NOON + assignments.LASTS) is None
    with transaction():
        assignments.assign(order.id, operator_id=second, actor="otto", now=NOON + assignments.LASTS)
    assert db.session.scalars(select(OrderAssignment.operator_id)).one() == second


def test_order_is_let_go_by_its_holder_and_by_its_end() -> None:
    first, second = olga(), an_operator().id
    order = work(by_hand(), Status.IN_PROGRESS, who=first)

    def release(operator: int) -> None:
        with transaction():
            assignments.release(order.id, operator_id=operator, actor="x", now=NOON)

    refused(lambda: release(second), ActionRefused)
    release(first)
    assert db.session.scalars(select(OrderAssignment)).all() == []

    work(order, Status.COMPLETED, who=second)
    assert db.session.scalars(select(OrderAssignment)).all() == []
    assert [action for action, _subject in log()] == ["orders set", "orders release", "orders set"]


def test_only_open_work_by_hand_is_claimed() -> None:
    first = olga()

    def claim(order_id: int) -> Callable[[], None]:
        def change() -> None:
            with transaction():
                assignments.assign(order_id, operator_id=first, actor="olga", now=NOON)

        return change

    refused(claim(an_order().id), ActionRefused)
    refused(claim(by_hand(Status.PARTIAL).id), ActionRefused)
    refused(claim(999), NotFound)


def test_form_that_is_stale_by_a_count_is_refused() -> None:
    first = olga()
    order = by_hand(Status.IN_PROGRESS)
    shown = order.version
    order = work(order, Status.IN_PROGRESS, remains=300, who=first)

    refused(lambda: work(order, Status.PARTIAL, remains=500, version=shown, who=first), StaleOrder)
