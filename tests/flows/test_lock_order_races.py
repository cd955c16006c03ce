"""Lock order on PostgreSQL: another transaction is forced to run between two statements of this one."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, update

from panel.db import db, transaction
from panel.domain.errors import ActionRefused
from panel.domain.status import Status
from panel.models import Attempt, AttemptKind, AttemptState, DepositRequest, Order
from panel.providers.base import Accepted, Unclear
from panel.services.money import deposits, ledger
from panel.services.office import providers_view
from panel.services.orders import dispatch, refills, timeouts, transitions
from panel.services.providers import health as provider_health
from tests.support import ledger_oracle
from tests.support.concurrently import start_in_thread
from tests.support.factories import NOON, a_customer, a_tool, an_order, logged_in, reload

pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)

LATER = NOON + timedelta(hours=25)


class ConcurrentAction:
    """An action that runs in another thread while this one is between two statements."""

    def __init__(self, app: Flask, call: Callable[[], object]) -> None:
        self._app, self._call = app, call
        self._begun: Future[Any] | None = None

    def begin(self) -> None:
        """Start it, once, and let it get as far as it can: to its end, or to a lock of ours."""
        if self._begun is None:
            self._begun = start_in_thread(self._app, self._call)

    def end(self) -> None:
        assert self._begun is not None
        self._begun.result(30)


def _before(monkeypatch: pytest.MonkeyPatch, place: object, name: str, call: Callable[..., None]) -> None:
    """Call `call` with the first argument before each call of this function."""
    inner = getattr(place, name)

    def both(*given: Any, **named: Any) -> Any:
        call(given[0])
        return inner(*given, **named)

    monkeypatch.setattr(place, name, both)


def _take(provider_id: int, *, most: int = 10) -> list[dispatch.Assignment]:
    with transaction():
        return dispatch.open_attempts(provider_id, most=most, lease_seconds=60, now=LATER)


def _claims(*order_ids: int) -> Callable[[], None]:
    def claim() -> None:
        with transaction():
            transitions.lock_orders(order_ids)

    return claim


def _of_two_customers(**terms: Any) -> tuple[Order, Order]:
    """The first order belongs to the customer whose account is locked last."""
    tool, first, last = a_tool(**terms), a_customer("1000"), a_customer("1000")
    return an_order(customer=last, tool=tool), an_order(customer=first, tool=tool)


def test_order_sent_while_its_timeout_expired_is_not_canceled(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    order = an_order()
    provider_id = order.provider_id

    def hand_over() -> None:
        (assignment,) = _take(provider_id)
        with transaction():
            dispatch.record_outcome(assignment.attempt_id, Accepted("given-1"), now=LATER)

    meanwhile = ConcurrentAction(app, hand_over)
    _before(monkeypatch, transitions, "lock_orders", lambda ids: meanwhile.begin() if ids else None)

    with transaction():
        timeouts.give_up(unconfirmed_hours=72, dispatch_hours=24, now=LATER)

    meanwhile.end()
    assert reload(order).provider_order_id == "given-1"
    assert (order.status, order.returned_nanos) == (Status.PENDING, 0)
    ledger_oracle.assert_consistent()


def test_giving_calls_back_does_not_block_a_batch_for_good(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = _of_two_customers()
    taken = _take(one.provider_id)
    assert {assignment.order.order_id for assignment in taken} == {one.id, other.id}
    meanwhile = ConcurrentAction(app, _claims(one.id, other.id))
    _before(monkeypatch, dispatch, "lock_attempt", lambda _: meanwhile.begin())

    with transaction():
        dispatch.release_assignments(taken, now=LATER)

    meanwhile.end()
    assert {reload(one).dispatch_at, reload(other).dispatch_at} == {LATER}


def test_deadlines_do_not_block_a_batch_for_good(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    unconfirmed, waiting = _of_two_customers()
    (assignment,) = _take(unconfirmed.provider_id, most=1)
    with transaction():
        dispatch.record_outcome(assignment.attempt_id, Unclear("no answer"), now=LATER)
    meanwhile = ConcurrentAction(app, _claims(unconfirmed.id, waiting.id))
    _before(monkeypatch, dispatch, "record_attempt_state", lambda _: meanwhile.begin())

    with transaction():
        ended = timeouts.give_up(unconfirmed_hours=72, dispatch_hours=24, now=LATER + timedelta(hours=73))

    meanwhile.end()
    assert ended == 2
    assert {reload(unconfirmed).status, reload(waiting).status} == {Status.CANCELED}


def test_deadlines_of_refills_do_not_block_a_batch_for_good(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    tool, first, last = a_tool(), a_customer("1000"), a_customer("1000")
    orders = [an_order(customer=each, tool=tool, status=Status.COMPLETED) for each in (last, first)]
    for order in orders:
        with transaction():
            refill = refills.request_refill(order.id, customer_id=order.customer_id, now=NOON)
            refills.lease_task(refill.id, again_seconds=10, lease_seconds=60, now=NOON)
    meanwhile = ConcurrentAction(app, _claims(*[order.id for order in orders]))
    _before(monkeypatch, dispatch, "lock_attempt", lambda _: meanwhile.begin())

    with transaction():
        expired = timeouts.expire_refills(unconfirmed_hours=72, now=LATER)

    meanwhile.end()
    assert expired == 2
    states = select(Attempt.state).where(Attempt.kind == AttemptKind.REFILL)
    assert set(db.session.scalars(states)) == {AttemptState.UNKNOWN}


def test_statement_adds_up_while_money_arrives(app: Flask) -> None:
    customer = a_customer("10.00")
    user_id = customer.id
    browser = logged_in(app.test_client(), customer)

    def deposit() -> None:
        with transaction():
            ledger.deposit(user_id, amount_nanos=10**9, reason="deposit:meanwhile", note="Arrived.", now=NOON)

    meanwhile = ConcurrentAction(app, deposit)
    sums = count(1)

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        # The second sum is the closing balance: the opening one is read.
        if "sum(" in statement and next(sums) == 2:
            meanwhile.begin()

    event.listen(db.engine, "before_cursor_execute", note)
    page = browser.get("/balance/statement.csv?from=2026-11-20&to=2026-11-20")

    meanwhile.end()
    opening, *lines, closing = [line.split(",") for line in page.text.splitlines()[1:]]
    came = sum(float(line[-2].strip('"')) for line in lines)
    assert float(opening[-1].strip('"')) + came == float(closing[-1].strip('"'))


def test_deposit_confirmed_twice_in_one_moment_is_refused_with_a_sentence(app: Flask) -> None:
    customer = a_customer("0")
    with transaction():
        reference = deposits.request_deposit(customer.id, amount_nanos=10**10, now=NOON).reference

    def confirm() -> None:
        with transaction():
            deposits.confirm(reference, amount_nanos=10**10, note="Arrived.", now=NOON)

    meanwhile = ConcurrentAction(app, confirm)
    with pytest.raises(ActionRefused), transaction():
        seen: DepositRequest = deposits.find(reference)
        meanwhile.begin()
        deposits.confirm(seen.reference, amount_nanos=10**10, note="Arrived.", now=NOON)

    meanwhile.end()
    assert ledger.balance_nanos(customer.id) == 10**10


def test_resuming_a_provider_does_not_deadlock_with_dispatch(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order became due between the operator's timestamp and the worker's."""
    order = an_order()
    provider_id = order.provider_id
    with transaction():
        provider_health.pause(provider_id, reason="Look", now=NOON)
        db.session.execute(update(Order).where(Order.id == order.id).values(dispatch_at=LATER))

    def resume() -> None:
        with transaction():
            before = LATER - timedelta(seconds=1)
            providers_view.resume(provider_id, reason="Looked", actor="operator", now=before)

    meanwhile = ConcurrentAction(app, resume)
    _before(monkeypatch, dispatch, "insert", lambda _: meanwhile.begin())

    taken = _take(provider_id)

    meanwhile.end()
    assert [assignment.order.order_id for assignment in taken] == [order.id]
