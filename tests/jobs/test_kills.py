"""Workers killed or stopped at the worst moments: never two `add` calls for one order."""

import os
import signal
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import timeouts
from panel.models import Attempt, Order, Provider, Tool
from panel.processes.forked import ForkedProcess
from panel.services.catalogue import routes
from panel.services.money import audit, ledger
from panel.services.orders import fail_over
from panel.services.providers import health as provider_health
from tests.support import warm_python
from tests.support.factories import a_customer, a_tool, an_order, reload
from tests.support.hostile_provider import HostileProvider, ProviderCall, hostile_provider, http_response, provider_at
from tests.support.slow_provider import SlowProvider, slow_provider
from tests.support.waiting import until

pytestmark = pytest.mark.both_engines

LEASE_SECONDS = 1.0
# On a busy machine a worker needs long to start.
MAX_SECONDS = 180

ON_ADD = """
import os, signal
from panel.application import create_app
from panel.providers.panel_api import PanelApi
from panel import worker
real = PanelApi.add
def add(self, order, *, now):
    os.kill(os.getpid(), signal.{sign})
    return real(self, order, now=now)
PanelApi.add = add
worker.run_once(create_app())
"""


BETWEEN_PARTS = """
import os, signal
from panel.application import create_app
from panel.jobs import status_batches
from panel import worker
status_batches.APPLIED_TOGETHER = 2
real, calls = status_batches.sync.apply_reports, []
def apply_reports(*given, **more):
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given, **more)
status_batches.sync.apply_reports = apply_reports
worker.run_once(create_app())
"""


class Workers:
    """Worker processes on the test's database; each runs one round and exits."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.started: list[ForkedProcess] = []

    def start(self, *words: str) -> ForkedProcess:
        # PostgreSQL ends a transaction that is idle for 15 seconds, and a worker may take longer to start.
        db.session.rollback()
        words = words or ("-m", "flask", "--app", "app", "worker", "--once")
        self.started.append(warm_python.start(*words, environment=self.environment))
        return self.started[-1]

    def run(self) -> None:
        """Run a whole round, with all back-off waits ended."""
        with transaction():
            db.session.execute(update(Provider).values(call_after=None))
        assert self.start().wait(MAX_SECONDS) == 0


@pytest.fixture
def server(app: Flask) -> Iterator[HostileProvider]:
    with hostile_provider() as server:
        provider_at(server.url, settings=app.config["PANEL"])
        yield server


@pytest.fixture
def workers(database_url: str, tmp_path: Path) -> Iterator[Workers]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PANEL_", "FLASK_"))}
    own = {"PANEL_INSTANCE": str(tmp_path / "instance"), "PANEL_LEASE_SECONDS": str(LEASE_SECONDS)}
    workers = Workers(kept | own | {"DATABASE_URL": database_url})
    yield workers
    for worker in workers.started:
        worker.kill()
        worker.wait()


@pytest.fixture
def slow(app: Flask) -> Iterator[SlowProvider]:
    with slow_provider(0.05) as provider:
        provider_at(provider.url, settings=app.config["PANEL"])
        yield provider


def placed(count: int = 1) -> list[Order]:
    provider = db.session.scalars(select(Provider).where(Provider.kind == "panel_api")).one()
    tool = a_tool(provider=provider, provider_service="7")
    return [
        an_order(customer=a_customer("1000"), tool=tool, link=f"https://example.com/{number}", now=utc_now())
        for number in range(count)
    ]


def attempts(order: Order) -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Attempt.state).where(Attempt.order_id == order.id).order_by(Attempt.id)))


def until_lease_ends(order: Order) -> None:
    """Wait until the lease of the order's newest attempt has expired."""
    of_order = Attempt.order_id == order.id
    lease_until = db.session.scalars(select(Attempt.lease_until).where(of_order).order_by(Attempt.id.desc())).first()
    db.session.rollback()
    assert lease_until is not None
    assert until(lambda: utc_now() > lease_until, seconds=MAX_SECONDS)


def assert_ends_canceled_with_all_money_back(order: Order) -> None:
    with transaction():
        db.session.execute(update(Attempt).values(at=utc_now() - timedelta(hours=100)))
    timeouts.sweep(worker="test")
    timeouts.sweep(worker="test")

    assert reload(order).status == Status.CANCELED
    assert ledger.balance_nanos(order.customer_id) == 1_000 * 10**9
    assert audit.audit().differences == ()


def test_killed_between_intent_and_call(server: HostileProvider, workers: Workers) -> None:
    server.takes_orders()
    [order] = placed()

    assert workers.start("-c", ON_ADD.format(sign="SIGKILL")).wait(MAX_SECONDS) == -signal.SIGKILL
    left = attempts(order)
    until_lease_ends(order)
    workers.run()
    workers.run()

    assert (left, attempts(order), server.count("add")) == (["intent"], ["unknown"], 0)
    assert reload(order).unconfirmed_at is not None
    assert_ends_canceled_with_all_money_back(order)


def test_killed_between_acceptance_and_commit(server: HostileProvider, workers: Workers) -> None:
    def accept_and_kill(connection: socket.socket, _call: ProviderCall) -> None:
        workers.started[0].kill()
        connection.sendall(http_response({"order": 2001}))

    server.answers["add"] = accept_and_kill
    [order] = placed()

    assert workers.start().wait(MAX_SECONDS) == -signal.SIGKILL
    until_lease_ends(order)
    server.takes_orders()
    workers.run()
    workers.run()

    assert (attempts(order), server.count("add")) == (["unknown"], 1)
    assert_ends_canceled_with_all_money_back(order)


def test_stopped_past_its_lease_before_the_call(server: HostileProvider, workers: Workers) -> None:
    server.takes_orders()
    [order] = placed()
    stopped = workers.start("-c", ON_ADD.format(sign="SIGSTOP"))
    assert until(lambda: attempts(order) == ["intent"], seconds=MAX_SECONDS)
    until_lease_ends(order)

    workers.run()
    seen = attempts(order)
    stopped.send_signal(signal.SIGCONT)
    stopped.wait(MAX_SECONDS)
    workers.run()

    assert (seen, attempts(order), server.count("add")) == (["unknown"], ["sent"], 1)
    assert reload(order).unconfirmed_at is None
    assert audit.audit().differences == ()


def test_stopped_past_its_lease_during_the_call(server: HostileProvider, workers: Workers) -> None:
    [order] = placed()

    def answer_late(connection: socket.socket, _call: ProviderCall) -> None:
        workers.started[0].send_signal(signal.SIGSTOP)
        server.stopping.wait(LEASE_SECONDS + 0.2)
        connection.sendall(http_response({"order": 2001}))

    server.answers["add"] = answer_late
    stopped = workers.start()
    assert until(lambda: server.count("add") == 1, seconds=MAX_SECONDS)
    until_lease_ends(order)

    workers.run()
    seen = attempts(order)
    stopped.send_signal(signal.SIGCONT)
    stopped.wait(MAX_SECONDS)
    workers.run()

    assert (seen, attempts(order), server.count("add")) == (["unknown"], ["sent"], 1)
    assert reload(order).provider_order_id == "2001"


def test_two_workers_at_once_hand_each_order_over_once(server: HostileProvider, workers: Workers) -> None:
    server.takes_orders()
    orders = placed(15)

    both = [workers.start(), workers.start()]
    codes = [worker.wait(MAX_SECONDS) for worker in both]
    workers.run()

    assert codes == [0, 0]
    assert server.count("add") == 15
    assert [attempts(order) for order in orders] == [["sent"]] * 15


def test_killed_between_two_parts_of_a_batch_of_reports(server: HostileProvider, workers: Workers) -> None:
    server.takes_orders()
    orders = placed(5)
    workers.run()
    numbers = [reload(order).provider_order_id for order in orders]
    report = {"status": "Partial", "remains": "400", "start_count": "1", "charge": "0.1", "currency": "USD"}
    server.answers["status"] = http_response(dict.fromkeys(numbers, report))
    make_due()

    assert workers.start("-c", BETWEEN_PARTS).wait(MAX_SECONDS) == -signal.SIGKILL
    partial = [reload(order).status for order in orders].count(Status.PARTIAL)
    make_due()
    workers.run()

    assert partial == 2
    for order in orders:
        assert reload(order).status == Status.PARTIAL
        assert ledger.balance_nanos(order.customer_id) == 1_000 * 10**9 - order.charge_nanos * 600 // 1_000
    assert audit.audit().differences == ()


def make_due() -> None:
    with transaction():
        db.session.execute(update(Order).where(Order.sync_at.is_not(None)).values(sync_at=utc_now()))


def test_killed_in_the_middle_of_eight_calls(slow: SlowProvider, workers: Workers) -> None:
    orders = placed(12)
    slow.together["add"] = 9
    worker = ("-m", "flask", "--app", "app", "worker")
    killed = workers.start(*worker)
    assert until(lambda: slow.running["add"] == 8, seconds=MAX_SECONDS)

    killed.kill()
    killed.wait(MAX_SECONDS)
    slow.together["add"] = 0
    workers.start(*worker)
    assert until(lambda: sorted(states_of(orders)) == ["sent"] * 4 + ["unknown"] * 8, seconds=MAX_SECONDS)

    assert sorted(slow.links) == sorted(order.link for order in orders)
    assert audit.audit().differences == ()


def states_of(orders: list[Order]) -> list[str]:
    return [",".join(attempts(order)) for order in orders]


def test_two_workers_share_the_limit_of_a_provider(slow: SlowProvider, workers: Workers) -> None:
    orders = placed(15)
    slow.together["add"] = 3
    with transaction():
        db.session.execute(update(Provider).values(calls_at_once=3))

    both = [workers.start(), workers.start()]
    codes = [worker.wait(MAX_SECONDS) for worker in both]
    workers.run()

    assert codes == [0, 0]
    assert slow.peaks["add"] == 3
    assert sorted(slow.links) == sorted(order.link for order in orders)
    assert states_of(orders) == ["sent"] * 15


def test_killed_on_the_way_to_the_second_provider_it_goes_to_nobody_else(
    app: Flask, server: HostileProvider, workers: Workers
) -> None:
    server.answers["add"] = http_response({"error": "Not enough funds on balance"})
    [order] = placed()
    slug, first_id = db.session.scalars(select(Tool.slug)).one(), order.provider_id
    with hostile_provider() as second:
        second.takes_orders()
        second_id = provider_at(second.url, settings=app.config["PANEL"], name="second").id
        with transaction():
            routes.add(slug, provider="second", service="70", rate="", actor="anna", now=utc_now())
        workers.run()
        with transaction():
            fail_over.pass_on_waiting([order.id], now=utc_now())

        assert workers.start("-c", ON_ADD.format(sign="SIGKILL")).wait(MAX_SECONDS) == -signal.SIGKILL
        left = attempts(order)
        until_lease_ends(order)
        with transaction():
            provider_health.resume(first_id, now=utc_now())
            provider_health.pause(second_id, reason="A look.", now=utc_now())
        workers.run()

        assert (left, attempts(order)) == (["refused", "intent"], ["refused", "unknown"])
        assert (server.count("add"), second.count("add")) == (1, 0)
    assert_ends_canceled_with_all_money_back(order)
