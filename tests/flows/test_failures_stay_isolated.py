"""Failure isolation: a failing provider, a bad id or a database outage doesn't affect other orders."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Select, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.accounts.roles import Role
from panel.domain.provider_report import Report
from panel.domain.status import Status
from panel.jobs import cancellations, dispatch, provider_calls, refills, sync
from panel.models import Attempt, AttemptKind, AttemptState, Cancellation, Order, User
from panel.providers.base import Accepted, NewOrder, Outcome, StatusRequest, Unclear
from panel.services.api import keys as api_keys
from panel.services.api import orders as api_orders
from panel.services.api import repeated_orders
from panel.services.catalogue import tools
from panel.services.orders import cancellations as cancellation_service
from panel.services.orders import dispatch as order_dispatch
from panel.services.orders import refills as refill_service
from panel.services.orders.new_order import rows
from tests.support.api_clients import a_key
from tests.support.factories import a_customer, a_tool, an_order, logged_in, reload

LARGEST = 2**63


class StubProvider:
    """A provider that always answers the same and counts its calls."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome, self.calls = outcome, 0

    def _say(self) -> Outcome:
        self.calls += 1
        return self.outcome

    def add(self, order: NewOrder, *, now: datetime) -> Outcome:
        return self._say()

    def refill(self, ask: StatusRequest, *, now: datetime) -> Outcome:
        return self._say()

    def cancel(self, ask: StatusRequest, *, now: datetime) -> Outcome:
        return self._say()

    def status(self, asks: Sequence[StatusRequest], *, now: datetime) -> Mapping[int, Report]:
        return {}

    def refill_status(self, refill_id: str, *, now: datetime) -> object:
        return "Pending"


def _three_orders(status: Status) -> list[Order]:
    tool, customer = a_tool(), a_customer("1000")
    return [an_order(customer=customer, tool=tool, status=status, now=utc_now()) for _ in range(3)]


def _handed_over(order: Order, given: str) -> None:
    with transaction():
        taken = order_dispatch.open_attempts(order.provider_id, most=1, lease_seconds=60, now=utc_now())
        order_dispatch.record_outcome(taken[0].attempt_id, Accepted(given), now=utc_now())


def test_provider_that_hangs_is_asked_for_one_refill_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for order in _three_orders(Status.COMPLETED):
        with transaction():
            refill_service.request_refill(order.id, customer_id=order.customer_id, now=utc_now())
    hanging = StubProvider(Unclear("no answer"))
    monkeypatch.setattr(refills, "connect_provider", lambda _: hanging)

    for _ in range(2):
        refills.sweep(worker="test", wait=True)

    assert hanging.calls == 1
    states = select(Attempt.state).where(Attempt.kind == AttemptKind.REFILL)
    assert db.session.scalars(states).all() == [AttemptState.UNKNOWN]


def test_provider_that_hangs_gets_one_cancellation_call_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, order in enumerate(_three_orders(Status.PENDING)):
        _handed_over(order, f"given-{number}")
        with transaction():
            cancellation_service.request_cancellation(order.id, customer_id=order.customer_id, now=utc_now())
    assert len(db.session.scalars(select(Cancellation.id).where(Cancellation.due_at.is_not(None))).all()) == 3
    hanging = StubProvider(Unclear("no answer"))
    monkeypatch.setattr(cancellations, "connect_provider", lambda _: hanging)

    for _ in range(2):
        cancellations.sweep(worker="test", wait=True)

    assert hanging.calls == 1


@pytest.mark.both_engines
def test_answer_of_a_provider_survives_a_moment_without_a_database(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    order = an_order(now=utc_now())
    accepting = StubProvider(Accepted("given-1"))
    monkeypatch.setattr(dispatch, "connect_provider", lambda _: accepting)
    monkeypatch.setattr(provider_calls, "WAITS_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(order_dispatch, "record_outcome", _failing_twice(order_dispatch.record_outcome))

    dispatch.sweep(worker="test", wait=True)

    assert (accepting.calls, reload(order).provider_order_id) == (1, "given-1")


def _failing_twice(call: Callable[..., None]) -> Callable[..., None]:
    tries: list[None] = []

    def failing(*given: Any, **named: Any) -> None:
        tries.append(None)
        if len(tries) <= 2:
            raise OperationalError("UPDATE attempts", None, Exception("the connection is lost"))
        call(*given, **named)

    return failing


@pytest.mark.parametrize("given", ["12345", "lost", "simulator-1-x", "-", "١٢-١٢"])
def test_unknown_simulator_id_changes_nothing_and_affects_no_other_order(given: str) -> None:
    strange, usual, _ = _three_orders(Status.PENDING)
    _handed_over(strange, given)
    _handed_over(usual, f"simulator-1-{int(utc_now().timestamp() * 1000) - 600_000}")
    with transaction():
        cancellation_service.request_cancellation(strange.id, customer_id=strange.customer_id, now=utc_now())

    sync.sweep(worker="test", wait=True)
    cancellations.sweep(worker="test", wait=True)

    assert reload(usual).status == Status.COMPLETED
    assert reload(strange).status == Status.PENDING
    assert db.session.scalars(select(Cancellation.state)).all() == ["refused"]


@pytest.mark.both_engines
def test_order_that_proved_never_sent_is_no_longer_shown_as_unconfirmed(app: Flask) -> None:
    order = an_order(now=utc_now())
    with transaction():
        taken = order_dispatch.open_attempts(order.provider_id, most=1, lease_seconds=60, now=utc_now())
        order_dispatch.record_outcome(taken[0].attempt_id, Unclear("no answer"), now=utc_now())
    before = db.session.get_one(User, order.customer_id).state_version

    with transaction():
        order_dispatch.release_assignments(taken, now=utc_now())

    assert reload(order).unconfirmed_at is None
    assert db.session.get_one(User, order.customer_id).state_version > before


def test_search_for_an_equal_order_reads_the_last_minute_alone() -> None:
    tool, customer = a_tool(), a_customer("1000")
    offer, holder = tools.offer(tool.id), api_keys.find(a_key(customer), address=None)
    assert offer is not None
    assert holder is not None
    with transaction():
        placed = api_orders.place(
            holder,
            offer=offer,
            link="https://example.com/page-1",
            quantity="10",
            fields={},
            request_id=None,
            now=utc_now(),
        )
    order = rows.placed_earlier(db.session.get_one(Order, placed.order_id))
    statement = repeated_orders.ALIKE.params(repeated_orders.values_of(order, key_id=holder.key_id))

    plan = db.session.execute(text("EXPLAIN QUERY PLAN " + _literal(statement))).all()

    assert "ix_orders_by_day" in str(plan)


def _literal(statement: Select[int, bool]) -> str:
    return str(statement.compile(db.engine, compile_kwargs={"literal_binds": True})).replace(":", "\\:")


@pytest.mark.both_engines
@pytest.mark.parametrize("number", [LARGEST, 10**30, 10**300])
@pytest.mark.parametrize(
    "path",
    [
        "/account/devices/{}/log-out",
        "/account/keys/{}/revocation",
        "/account/webhooks/{}/tests",
        "/account/webhooks/1/deliveries/{}/again",
        "/orders/{}/refills",
    ],
)
def test_number_larger_than_any_row_is_not_found(client: FlaskClient, path: str, number: int) -> None:
    assert logged_in(client, a_customer()).post(path.format(number)).status_code == 404


def test_form_for_a_key_with_an_endless_number_is_answered(client: FlaskClient) -> None:
    answer = logged_in(client, a_customer()).post("/account/keys", data={"name": "shop", "newest": "9" * 5000})

    assert answer.status_code == 409


def test_database_error_does_not_reveal_the_values() -> None:
    customer = a_customer(email="twice@example.com")
    values = {"email": customer.email, "password_hash": "argon-and-salt", "role": Role.CUSTOMER, "state_version": 1}

    with pytest.raises(IntegrityError) as failure, transaction():
        db.session.execute(insert(User).values(**values, created_at=utc_now()))

    assert "argon-and-salt" not in str(failure.value)
