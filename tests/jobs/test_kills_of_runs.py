"""Workers killed between the runs of a drip-feed order: each run is sent at most once, and no money is lost."""

import signal
import socket
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import timeouts
from panel.models import Account, AccountKind, Attempt, Order, Provider, Transfer
from panel.services.money import audit, ledger
from panel.services.orders import placing, runs
from panel.services.orders.placing import Placing
from tests.jobs.test_kills import MAX_SECONDS, ON_ADD, Workers, attempts, until_lease_ends, workers
from tests.support import ledger_oracle
from tests.support.factories import LINK, a_customer, reload
from tests.support.form_factories import a_drip_feed_tool
from tests.support.hostile_provider import HostileProvider, ProviderCall, http_response

__all__ = ["workers"]
pytestmark = pytest.mark.both_engines

PIECES, RUNS = 100, 3


@pytest.fixture
def order(app: Flask, server: HostileProvider) -> Order:
    """A drip-feed order whose provider takes every run and completes it immediately."""
    server.takes_orders()
    server.answers["status"] = completed
    provider = db.session.scalars(select(Provider)).one()
    tool = a_drip_feed_tool(provider=provider, provider_service="7")
    customer_id = a_customer("1000").id
    asked = Placing(tool.slug, LINK, str(PIECES), "request-1", None, {"runs": str(RUNS), "interval": "60"})
    with transaction():
        return placing.place_order(customer_id, asked=asked, now=utc_now())


def completed(connection: socket.socket, call: ProviderCall) -> None:
    numbers = call.fields["orders"].split(",")
    connection.sendall(http_response({number: {"status": "Completed", "remains": "0"} for number in numbers}))


def round_of(workers: Workers, order: Order) -> None:
    """Let the next run, or its report, come due, and run a whole round."""
    make_due()
    workers.run()
    check(order)


def make_due() -> None:
    with transaction():
        db.session.execute(update(Order).where(Order.dispatch_at.is_not(None)).values(dispatch_at=utc_now()))
        db.session.execute(update(Order).where(Order.sync_at.is_not(None)).values(sync_at=utc_now()))


def until_run(number: int, workers: Workers, order: Order) -> None:
    """Rounds until this run is the next to be sent."""
    for _ in range(3 * number):
        found = shown(order)
        if found[: number - 1] == ["completed"] * (number - 1):
            return
        round_of(workers, order)
    raise AssertionError(shown(order))


def shown(order: Order) -> list[str]:
    db.session.rollback()
    return [run.status for run in runs.of_order(order.id)]


def check(order: Order) -> None:
    """Charge = kept + returned + held, by the ledger itself; this order is the only one."""
    now = reload(order)
    holds = select(Account.id).where(Account.kind == AccountKind.HOLDS).scalar_subquery()
    amount = func.coalesce(func.sum(Transfer.amount_nanos), 0)
    into = db.session.scalar(select(amount).where(Transfer.to_account_id == holds)) or 0
    out = db.session.scalar(select(amount).where(Transfer.from_account_id == holds)) or 0
    assert now.charge_nanos == RUNS * PIECES * now.price_micros_per_thousand == into
    assert now.charge_nanos == now.kept_nanos + now.returned_nanos + (into - out)
    ledger_oracle.assert_consistent()
    assert audit.audit().differences == ()


def assert_rest_comes_back(order: Order) -> None:
    """After the time for unclear answers, what wasn't delivered is returned; the first run was."""
    with transaction():
        db.session.execute(update(Attempt).values(at=utc_now() - timedelta(hours=100)))
    timeouts.sweep(worker="test")
    timeouts.sweep(worker="test")

    check(order)
    ended = reload(order)
    assert (ended.status, ended.remains) == (Status.PARTIAL, (RUNS - 1) * PIECES)
    assert ledger.balance_nanos(order.customer_id) == 1_000 * 10**9 - ended.charge_nanos // RUNS
    assert shown(order) == ["completed", "canceled", "canceled"]


def test_killed_before_the_call_of_a_run(server: HostileProvider, workers: Workers, order: Order) -> None:
    until_run(2, workers, order)
    make_due()

    assert workers.start("-c", ON_ADD.format(sign="SIGKILL")).wait(MAX_SECONDS) == -signal.SIGKILL
    check(order)
    until_lease_ends(order)
    round_of(workers, order)
    round_of(workers, order)

    assert (attempts(order), server.count("add")) == (["sent", "unknown"], 1)
    assert_rest_comes_back(order)


def test_killed_before_the_answer_about_a_run_is_stored(
    server: HostileProvider, workers: Workers, order: Order
) -> None:
    until_run(2, workers, order)

    def accept_and_kill(connection: socket.socket, _call: ProviderCall) -> None:
        workers.started[-1].kill()
        connection.sendall(http_response({"order": 2002}))

    server.answers["add"] = accept_and_kill
    make_due()
    assert workers.start().wait(MAX_SECONDS) == -signal.SIGKILL
    check(order)
    until_lease_ends(order)
    server.takes_orders()
    round_of(workers, order)
    round_of(workers, order)

    assert (attempts(order), server.count("add")) == (["sent", "unknown"], 2)
    assert_rest_comes_back(order)


def test_killed_before_the_end_of_a_run_is_stored(server: HostileProvider, workers: Workers, order: Order) -> None:
    def report_and_kill(connection: socket.socket, call: ProviderCall) -> None:
        workers.started[-1].kill()
        completed(connection, call)

    server.answers["status"] = report_and_kill
    killed = 0
    while server.count("status") == 0:
        make_due()
        killed = workers.start().wait(MAX_SECONDS)
        check(order)
    assert (killed, shown(order)[0]) == (-signal.SIGKILL, "pending")

    server.answers["status"] = completed
    until_run(RUNS + 1, workers, order)

    assert (reload(order).status, server.count("add")) == (Status.COMPLETED, RUNS)
    assert attempts(order) == ["sent"] * RUNS
    assert [call.fields["quantity"] for call in server.calls if call.action == "add"] == [str(PIECES)] * RUNS
    assert shown(order) == ["completed"] * RUNS
