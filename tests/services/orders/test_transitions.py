"""Order transitions: only those in the table, only from the current state, all or nothing."""

from dataclasses import replace

import pytest
from flask import Flask

from panel.db import db, transaction
from panel.domain.errors import IllegalTransition, NotFound, StaleOrder
from panel.domain.status import FACTS, Status
from panel.models import User
from panel.services import customer_version
from panel.services.money import ledger
from panel.services.orders import transitions
from panel.services.orders.transitions import Move, Note
from tests.support import ledger_oracle
from tests.support.factories import NOON, a_customer, a_tool, an_order, reload

pytestmark = pytest.mark.both_engines


def move(order_id: int, to: Status, *, remains: int) -> None:
    with transaction():
        transitions.move_order(transitions.lock_order(order_id), to, remains=remains, now=NOON)


def version_of(customer: User) -> int:
    return reload(customer).state_version


@pytest.mark.parametrize("before", Status)
def test_order_becomes_what_the_table_allows_and_its_money_goes_where_it_says(before: Status) -> None:
    customer, tool = a_customer("1000"), a_tool()
    for to in FACTS[before].next:
        order = an_order(customer=customer, tool=tool, status=before)

        move(order.id, to, remains=360)

        assert reload(order).status == to
    ledger_oracle.assert_consistent(with_refills=False)


@pytest.mark.parametrize("before", Status)
def test_order_becomes_nothing_else_and_nothing_is_written(before: Status) -> None:
    order = an_order(status=before)
    untouched = ledger_oracle.all_rows()

    for to in set(Status) - {before, *FACTS[before].next}:
        with pytest.raises(IllegalTransition, match=f"is {before.label} and cannot become {to.label}"):
            move(order.id, to, remains=order.remains)

    assert ledger_oracle.all_rows() == untouched


@pytest.mark.parametrize("status", Status)
def test_count_of_an_order_that_stays_in_its_status_moves_no_money(status: Status) -> None:
    order = an_order(status=status)
    money = ledger.balance_nanos(order.customer_id), order.kept_nanos, order.returned_nanos

    with transaction():
        claimed = transitions.lock_order(order.id)
        transitions.apply_moves([Move(claimed, status, order.remains, start_count=7)], now=NOON)

    assert reload(order).start_count == 7
    assert (ledger.balance_nanos(order.customer_id), order.kept_nanos, order.returned_nanos) == money
    ledger_oracle.assert_consistent(with_refills=False)


def test_stale_version_is_refused_and_nothing_is_written() -> None:
    order = an_order(status=Status.IN_PROGRESS)
    with transaction():
        old = transitions.lock_order(order.id)
    move(order.id, Status.IN_PROGRESS, remains=100)
    untouched = ledger_oracle.all_rows()

    with pytest.raises(StaleOrder), transaction():
        transitions.move_order(old, Status.CANCELED, remains=old.quantity, now=NOON)

    assert ledger_oracle.all_rows() == untouched


def test_row_that_was_read_before_its_lock_is_stale_too() -> None:
    order = an_order(status=Status.IN_PROGRESS)
    with transaction():
        old = transitions.lock_order(order.id)
    move(order.id, Status.IN_PROGRESS, remains=100)
    untouched = ledger_oracle.all_rows()

    with pytest.raises(StaleOrder), transaction():
        transitions.lock_order(order.id)
        transitions.move_order(old, Status.CANCELED, remains=old.quantity, now=NOON)

    assert ledger_oracle.all_rows() == untouched


@pytest.mark.parametrize("flaw", ["illegal", "stale"])
def test_batch_of_a_hundred_with_one_flaw_writes_none(flaw: str) -> None:
    customer, tool = a_customer("1000"), a_tool()
    ids = [an_order(customer=customer, tool=tool).id for _ in range(99)]
    ids.append(an_order(customer=customer, tool=tool, status=Status.CANCELED).id if flaw == "illegal" else ids[0])
    untouched = ledger_oracle.all_rows()

    with pytest.raises(IllegalTransition if flaw == "illegal" else StaleOrder), transaction():
        claimed = transitions.lock_orders(ids)
        moves = [Move(row, Status.PARTIAL, 400) for row in claimed.values()]
        if flaw == "stale":
            moves[57] = replace(moves[57], order=replace(moves[57].order, version=9))
        transitions.apply_moves(moves, now=NOON)

    assert ledger_oracle.all_rows() == untouched


def test_batch_settles_every_order_of_every_customer() -> None:
    tool, customers = a_tool(), [a_customer("10") for _ in range(4)]
    ids = [an_order(customer=customers[number % 4], tool=tool).id for number in range(20)]
    ends = (Status.PARTIAL, Status.CANCELED, Status.COMPLETED, Status.IN_PROGRESS)

    with transaction():
        claimed = transitions.lock_orders(ids)
        moves = [Move(row, ends[n % 4], (0, 1, 999)[n % 3]) for n, row in enumerate(claimed.values())]
        transitions.apply_moves(moves, now=NOON)

    ledger_oracle.assert_consistent()


def test_only_the_moved_orders_customer_gets_a_new_version() -> None:
    order, other = an_order(), a_customer()
    customer = db.session.get_one(User, order.customer_id)
    before, others_before = version_of(customer), version_of(other)

    move(order.id, Status.PROCESSING, remains=order.quantity)

    assert (version_of(customer), version_of(other)) == (before + 1, others_before)


def test_note_leaves_the_order_as_it_is() -> None:
    order = an_order(status=Status.IN_PROGRESS)
    before = transitions.lock_order(order.id)
    db.session.rollback()

    with transaction():
        transitions.add_notes([Note(transitions.lock_order(order.id), "Somebody looked at it.")], now=NOON)

    assert transitions.lock_order(order.id) == before
    ledger_oracle.assert_consistent()


@pytest.mark.parametrize("column", ["status", "remains", "kept_nanos", "returned_nanos", "version"])
def test_mark_refuses_what_only_a_move_may_change(column: str) -> None:
    order = an_order()

    with pytest.raises(ValueError, match=column), transaction():
        transitions.set_schedule(transitions.lock_order(order.id), **{column: 1})


def test_unknown_order_is_not_found() -> None:
    assert transitions.lock_orders([12345]) == {}
    with pytest.raises(NotFound):
        transitions.lock_order(12345)


def test_telling_nobody_changes_nothing() -> None:
    an_order()
    untouched = ledger_oracle.all_rows()

    with transaction():
        transitions.apply_moves([], now=NOON)
        transitions.add_notes([], now=NOON)
        customer_version.bump([])

    assert ledger_oracle.all_rows() == untouched


def test_first_move_of_a_fresh_process_settles_too(app: Flask) -> None:
    order = an_order(quantity=100, price="0.90")
    # A worker that has just started doesn't have the ids that a process looks up once and caches.
    app.extensions.pop("panel.house_accounts")

    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.PARTIAL, remains=40, now=NOON)

    assert reload(order).returned_nanos == 40 * 900_000
