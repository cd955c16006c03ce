"""Races in real threads and processes: one wins, and the ledger is correct."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.errors import InsufficientBalance, PanelError
from panel.domain.provider_report import Report
from panel.domain.status import Status
from panel.models import Attempt, Heartbeat, Order, OrderEvent, Refill, Transfer
from panel.providers.base import Accepted, StatusRequest
from panel.services import health
from panel.services.money import ledger
from panel.services.orders import cancellations, dispatch, refills, sync, timeouts, transitions
from tests.support import concurrently, ledger_oracle, warm_python
from tests.support.concurrently import run_concurrently, start_in_thread
from tests.support.factories import NOON, a_customer, a_tool, an_order
from tests.support.repeats import repetitions

pytestmark = pytest.mark.both_engines

ROUNDS = repetitions(6, long=60)


def status_of(order_id: int) -> Status:
    db.session.rollback()
    return Status(db.session.scalars(select(Order.status).where(Order.id == order_id)).one())


def transfers_of(order_id: int) -> list[str]:
    return list(db.session.scalars(select(Transfer.kind).where(Transfer.order_id == order_id).order_by(Transfer.id)))


def report(order_id: int, word: str, remains: int) -> Callable[[], int]:
    def sync_report() -> int:
        asked, reports = [StatusRequest(order_id, "given", "usual", 1_000)], {order_id: Report(word, remains)}
        with transaction():
            return sync.apply_reports(asked, reports, now=NOON)

    return sync_report


def hand_over(provider_id: int) -> Callable[[], list[int]]:
    """Dispatch due orders as the sweep does; returns the ids of the orders that were sent."""

    def sweep() -> list[int]:
        with transaction():
            taken = dispatch.open_attempts(provider_id, most=10, lease_seconds=60, now=NOON)
        for assignment in taken:
            answer = Accepted(f"given-{assignment.order.order_id}")
            with transaction():
                dispatch.record_outcome(assignment.attempt_id, answer, now=NOON)
        return [assignment.order.order_id for assignment in taken]

    return sweep


def cancel(order_id: int, customer_id: int) -> Callable[[], str]:
    def ask() -> str:
        with transaction():
            return cancellations.request_cancellation(order_id, customer_id=customer_id, now=NOON).state

    return ask


def test_one_of_many_reports_at_once_settles_an_order(app: Flask) -> None:
    for _ in range(ROUNDS):
        order = an_order(status=Status.IN_PROGRESS)
        words = [("Partial", 400), ("Canceled", 1_000), ("Completed", 0), ("Partial", 250)] * 3

        results = run_concurrently(app, [report(order.id, word, remains) for word, remains in words])

        assert sum(results) == 1
        settling = [kind for kind in transfers_of(order.id) if kind != "charge"]
        assert sorted(settling) in ([["keep"], ["return"], ["keep", "return"]])
    ledger_oracle.assert_consistent()


def test_order_is_canceled_with_a_full_refund_or_sent_and_never_both(app: Flask) -> None:
    tool, customer = a_tool(), a_customer("1000")
    for number in range(2 * ROUNDS):
        order_id = an_order(customer=customer, tool=tool).id
        calls: list[Callable[[], object]] = [cancel(order_id, customer.id), hand_over(tool.provider_id)]

        canceled, first, second = run_concurrently(
            app, [*(calls if number % 2 else calls[::-1]), hand_over(tool.provider_id)]
        )

        handed = [each for each in (canceled, first, second) if isinstance(each, list) and order_id in each]
        is_canceled = status_of(order_id) is Status.CANCELED
        assert len(handed) == (0 if is_canceled else 1)
        assert (transfers_of(order_id) == ["charge", "return"]) == is_canceled
    ledger_oracle.assert_consistent()


def test_cancellation_and_the_report_that_it_ran_agree_on_one_end(app: Flask) -> None:
    tool, customer = a_tool(), a_customer("1000")
    for _ in range(ROUNDS):
        order_id = an_order(customer=customer, tool=tool, status=Status.IN_PROGRESS).id

        run_concurrently(app, [cancel(order_id, customer.id), report(order_id, "Completed", 0)], expected=PanelError)

        assert status_of(order_id) is Status.COMPLETED
        assert transfers_of(order_id) == ["charge", "keep"]
        newest = cancellations.newest_cancellation(order_id)
        assert newest is None or newest.state == "refused"
    ledger_oracle.assert_consistent()


def test_refill_asked_for_twenty_times_at_once_is_one(app: Flask) -> None:
    order = an_order(status=Status.COMPLETED)
    order_id, customer_id = order.id, order.customer_id

    def ask() -> int:
        with transaction():
            return refills.request_refill(order_id, customer_id=customer_id, now=NOON).id

    answers = run_concurrently(app, [ask] * 20, expected=PanelError)

    assert sum(isinstance(answer, int) for answer in answers) == 1
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Refill)) == 1
    ledger_oracle.assert_consistent()


def test_crossing_batches_of_two_customers_queue_up(app: Flask) -> None:
    tool, customers = a_tool(), [a_customer("1000"), a_customer("1000")]
    ids = [an_order(customer=customers[number % 2], tool=tool).id for number in range(10)]

    def batch(order_ids: Sequence[int], remains: int) -> Callable[[], int]:
        def sync_report() -> int:
            asked = [StatusRequest(order_id, "given", "usual", 1_000) for order_id in order_ids]
            reports = {order_id: Report("In progress", remains) for order_id in order_ids}
            with transaction():
                return sync.apply_reports(asked, reports, now=NOON)

        return sync_report

    for turn in range(ROUNDS):
        results = run_concurrently(app, [batch(ids[:: 1 - 2 * (n % 2)], 900 - 8 * turn - n) for n in range(8)])
        assert all(moved == len(ids) for moved in results)
    ledger_oracle.assert_consistent()


def test_deposit_among_fifty_placements_pays_for_exactly_as_many_as_it_can(app: Flask) -> None:
    customer, tool = a_customer("0.018"), a_tool(price="0.90")
    customer_id, slug = customer.id, tool.slug

    def deposit() -> int:
        with transaction():
            return ledger.deposit(customer_id, amount_nanos=27_000_000, reason="deposit:race", note="", now=NOON)

    placings = [concurrently.placing(customer_id, slug, number) for number in range(50)]
    answers = run_concurrently(app, [*placings[:25], deposit, *placings[25:]], expected=InsufficientBalance)

    placed = sum(isinstance(answer, int) for answer in answers) - 1
    assert 2 <= placed <= 5
    assert ledger.balance_nanos(customer_id) == 45_000_000 - 9_000_000 * placed
    ledger_oracle.assert_consistent()


def test_processes_spend_one_balance_to_the_last_order(app: Flask, database_url: str) -> None:
    customer, tool = a_customer("0.09"), a_tool(price="0.90")
    customer_id, slug = customer.id, tool.slug
    placed = warm_python.context().Queue()
    instance = app.config["PANEL"].instance
    workers = [
        warm_python.context().Process(
            target=concurrently.place_many, args=(instance, database_url, customer_id, slug, range(n, 40, 2), placed)
        )
        for n in range(2)
    ]

    db.session.rollback()
    for worker in workers:
        worker.start()
    numbers = [placed.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)

    assert [worker.exitcode for worker in workers] == [0, 0]
    assert sum(numbers) == 10
    assert ledger.balance_nanos(customer_id) == 0
    ledger_oracle.assert_consistent()


def test_same_report_ten_times_at_once_adds_one_event(app: Flask) -> None:
    order_id = an_order(status=Status.PENDING).id

    run_concurrently(app, [report(order_id, "In progress", 500)] * 10)

    db.session.rollback()
    moved = (
        select(func.count()).select_from(OrderEvent).where(OrderEvent.order_id == order_id, OrderEvent.kind != "placed")
    )
    assert db.session.scalar(moved) == 1
    ledger_oracle.assert_consistent()


def test_two_sweeps_never_take_the_same_order(app: Flask) -> None:
    tool, customer = a_tool(), a_customer("1000")
    ids = [an_order(customer=customer, tool=tool).id for _ in range(30)]

    taken = run_concurrently(app, [hand_over(tool.provider_id)] * 6)

    assert sorted(order_id for each in taken for order_id in each) == sorted(set(ids))[: sum(map(len, taken))]
    db.session.rollback()
    attempts = db.session.scalars(select(Attempt.order_id)).all()
    assert len(attempts) == len(set(attempts)) == sum(map(len, taken))


def test_workers_of_one_name_beat_together(app: Flask) -> None:
    """Single runs on one machine share a worker name, and each one's first heartbeat finds no earlier one."""

    def beat_as(worker: str) -> Callable[[], None]:
        def beat() -> None:
            with transaction():
                health.beat(worker, now=NOON)

        return beat

    for worker in ("here-1", "here-2", "here-3"):
        run_concurrently(app, [beat_as(worker)] * 8)

    db.session.rollback()
    assert sorted(db.session.scalars(select(Heartbeat.worker))) == ["here-1", "here-2", "here-3"]


def test_order_sent_while_its_timeout_expired_is_not_canceled(app: Flask) -> None:
    tool = a_tool()
    order_id, later = an_order(tool=tool).id, NOON + timedelta(hours=30)

    def give_up() -> int:
        with transaction():
            return timeouts.give_up(unconfirmed_hours=72, dispatch_hours=24, now=later)

    with transaction():
        (taken,) = dispatch.open_attempts(tool.provider_id, most=1, lease_seconds=60, now=later)
        dispatch.record_outcome(taken.attempt_id, Accepted("given-1"), now=later)
        waiting = start_in_thread(app, give_up)

    assert waiting.result(30) == 0
    assert status_of(order_id) is Status.PENDING
    ledger_oracle.assert_consistent()


def test_giving_orders_back_waits_for_its_first_customer_before_holding_another(app: Flask) -> None:
    tool = a_tool()
    first, second = an_order(tool=tool).id, an_order(tool=tool).id
    with transaction():
        taken = dispatch.open_attempts(tool.provider_id, most=2, lease_seconds=60, now=NOON)

    def release() -> None:
        with transaction():
            dispatch.release_assignments(taken[::-1], now=NOON)

    with transaction():
        transitions.lock_order(first)
        waiting = start_in_thread(app, release)
        transitions.lock_order(second)

    waiting.result(30)
    assert hand_over(tool.provider_id)() == [first, second]
