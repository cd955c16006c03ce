"""Concurrent calls: several orders are on their way to a provider at the same time, and each is sent once at most."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.provider_report import Report
from panel.jobs import dispatch, provider_lanes, refills, status_batches, sync
from panel.models import Attempt, AttemptState, CallKind, CallSlot, Order, Provider
from panel.providers.base import StatusRequest
from panel.services.orders import sync as order_sync
from panel.services.providers import call_slots
from panel.services.providers import health as provider_health
from tests.support.concurrently import run_concurrently
from tests.support.factories import a_customer, a_tool, an_order, reload
from tests.support.hostile_provider import provider_at
from tests.support.slow_provider import SlowProvider, slow_provider
from tests.support.upstream import assert_ledgers_match, open_reviews, upstream
from tests.support.waiting import until

pytestmark = pytest.mark.both_engines

MAX_SECONDS = 30


@pytest.fixture
def server(app: Flask) -> Iterator[SlowProvider]:
    with slow_provider(0.1) as server:
        provider_at(server.url, settings=app.config["PANEL"])
        yield server


def orders_of_a_customer(count: int) -> list[int]:
    """Placed orders, each with a link of its own."""
    tool = a_tool(provider=upstream(), provider_service="7")
    customer = a_customer("1000")
    return [
        an_order(customer=customer, tool=tool, link=f"https://example.com/{customer.id}-{number}", now=utc_now()).id
        for number in range(count)
    ]


def allow(calls_at_once: int) -> None:
    with transaction():
        db.session.execute(update(Provider).values(calls_at_once=calls_at_once))


def states() -> dict[str, int]:
    db.session.rollback()
    counted = db.session.execute(select(Attempt.state, func.count()).group_by(Attempt.state))
    return {row[0]: row[1] for row in counted}


def until_lanes_end() -> None:
    assert until(lambda: not provider_lanes.busy(), seconds=MAX_SECONDS)


def take(provider_id: int, worker: str = "one", *, now: datetime | None = None) -> bool:
    at = now or utc_now()
    with transaction():
        return call_slots.take(provider_id, CallKind.ADD, worker=worker, timeout_seconds=20, now=at) is not None


def slots() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(CallSlot)) or 0


def test_eight_orders_are_sent_concurrently_and_each_once(server: SlowProvider) -> None:
    orders_of_a_customer(20)
    server.together["add"] = 8

    sent = dispatch.sweep(worker="one", wait=True)

    assert sent == 20
    assert server.peaks["add"] == 8
    assert (len(server.links), server.most_adds_of_a_link) == (20, 1)
    assert (states(), slots()) == ({AttemptState.SENT: 20}, 0)
    assert_ledgers_match()


def test_the_limit_counts_the_calls_of_all_workers(app: Flask, server: SlowProvider) -> None:
    orders_of_a_customer(18)
    allow(3)
    server.together["add"] = 3
    provider_id = upstream().id

    # Eight lanes, as two workers start them.
    calls = [lambda name=name: dispatch.serve(provider_id, worker=name) for name in ("one", "two") * 4]
    sent = sum(run_concurrently(app, calls))

    assert sent == 18
    assert server.peaks["add"] == 3
    assert (len(server.links), server.most_adds_of_a_link) == (18, 1)


def test_customers_take_turns(server: SlowProvider) -> None:
    orders_of_a_customer(40)
    orders_of_a_customer(40)
    [last] = orders_of_a_customer(1)
    link = reload(db.session.get_one(Order, last)).link

    dispatch.sweep(worker="one", wait=True)

    assert server.links.index(link) < 16
    assert len(server.links) == 81


def test_without_funds_only_the_calls_on_their_way_are_made(server: SlowProvider) -> None:
    orders = orders_of_a_customer(30)
    server.answer_add = lambda _fields: {"error": "Not enough funds on balance"}
    server.together["add"] = 8

    dispatch.sweep(worker="one", wait=True)
    asked = len(server.links)
    paused = upstream().paused_at
    server.answer_add = None
    with transaction():
        provider_health.resume(upstream().id, now=utc_now())
    dispatch.sweep(worker="one", wait=True)

    assert paused is not None
    assert asked == 8
    assert states() == {AttemptState.REFUSED: asked, AttemptState.SENT: len(orders)}
    assert len(open_reviews("provider_paused")) == 0
    assert_ledgers_match()


def test_calls_that_become_unclear_together_are_one_failure_and_open_the_breaker(server: SlowProvider) -> None:
    orders_of_a_customer(30)
    server.answer_add = lambda _fields: None
    server.together["add"] = 8

    dispatch.sweep(worker="one", wait=True)
    with transaction():
        db.session.execute(update(Provider).values(call_after=None))
    dispatch.sweep(worker="one", wait=True)

    provider = upstream()
    assert len(server.links) == 8
    assert server.most_adds_of_a_link == 1
    assert set(states()) == {AttemptState.UNKNOWN}
    assert (provider.failures, provider.unclear_adds) == (1, provider_health.UNCLEAR_AFTER)
    assert provider.add_after is not None
    assert provider.add_after <= utc_now() + provider_health.PROBE_AFTER
    assert len(open_reviews("provider_unclear")) == 1


def test_after_a_failure_one_order_at_a_time_is_sent_until_one_gets_an_answer(server: SlowProvider) -> None:
    provider_id = upstream().id
    with transaction():
        provider_health.failed(provider_id, text="gone", now=utc_now() - timedelta(seconds=10))

    failing = [take(provider_id) for _ in range(2)]
    with transaction():
        provider_health.answered(provider_id, now=utc_now())
    working = [take(provider_id) for _ in range(8)]

    assert failing == [True, False]
    assert working == [*[True] * 7, False]


def test_statuses_and_refills_do_not_wait_for_orders_on_their_way(app: Flask, server: SlowProvider) -> None:
    orders_of_a_customer(1)
    dispatch.sweep(worker="one", wait=True)
    with transaction():
        db.session.execute(update(Order).values(sync_at=utc_now() - timedelta(seconds=1)))
    server.delay_seconds = 5.0
    orders_of_a_customer(9)
    dispatch.sweep(worker="one")
    assert until(lambda: server.running["add"] == 8, seconds=MAX_SECONDS)
    server.delay_seconds = 0.0

    asked = sync.sweep(worker="one", wait=True)
    refills.sweep(worker="one", wait=True)
    still = server.running["add"]
    until_lanes_end()

    assert (asked, server.calls["status"], still) == (1, 1, 8)


def test_reports_are_applied_by_parts_and_one_lane_after_another(
    server: SlowProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders_of_a_customer(24)
    dispatch.sweep(worker="one", wait=True)
    with transaction():
        db.session.execute(update(Order).values(sync_at=utc_now() - timedelta(seconds=1)))
    monkeypatch.setattr(order_sync, "BATCH", 6)
    monkeypatch.setattr(status_batches, "APPLIED_TOGETHER", 4)
    allow(4)
    server.together["status"] = 4
    sizes, apart, real = list[int](), threading.Lock(), order_sync.apply_reports

    def noted(asked: Sequence[StatusRequest], reports: Mapping[int, Report], *, now: datetime) -> int:
        assert apart.acquire(blocking=False), "two lanes apply reports together"
        try:
            sizes.append(len(asked))
            time.sleep(0.01)
            return real(asked, reports, now=now)
        finally:
            apart.release()

    monkeypatch.setattr(order_sync, "apply_reports", noted)

    asked = sync.sweep(worker="one", wait=True)

    assert asked == 24
    assert sorted(sizes) == [2] * 4 + [4] * 4
    assert slots() == 0


def test_status_batches_are_requested_concurrently(
    app: Flask, server: SlowProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders_of_a_customer(24)
    dispatch.sweep(worker="one", wait=True)
    with transaction():
        db.session.execute(update(Order).values(sync_at=utc_now() - timedelta(seconds=1)))
    monkeypatch.setattr(order_sync, "BATCH", 2)
    allow(4)
    server.together["status"] = 4

    asked = sync.sweep(worker="one", wait=True)

    assert asked == 24
    assert (server.calls["status"], server.peaks["status"]) == (12, 4)
    assert slots() == 0


def test_slots_of_a_dead_worker_are_free_when_it_starts_again_or_their_lease_ends(server: SlowProvider) -> None:
    provider_id, now = upstream().id, utc_now()
    allow(2)

    taken = [take(provider_id, worker, now=now) for worker in ("one", "two", "one")]
    with transaction():
        freed = call_slots.release_all("one")
    after_restart = [take(provider_id, "three", now=now) for _ in range(2)]
    at_lease_end = [take(provider_id, "three", now=now + timedelta(seconds=after)) for after in (24.9, 25.1, 25.1)]

    assert (taken, freed) == ([True, True, False], 1)
    assert after_restart == [True, False]
    assert at_lease_end == [False, True, True]
