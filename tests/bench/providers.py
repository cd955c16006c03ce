"""Providers whose every call takes 300 ms: orders sent a second, status checks, and one order behind 1,000."""

import os
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from panel.cli.init_and_worker import give_way
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import dispatch, provider_lanes, sync
from panel.models import Order, Tool, User
from panel.services.providers import health as provider_health
from panel.settings import ROOT
from tests.bench import goals, open_orders
from tests.bench.open_orders import ENGINES, panel_with_open_orders
from tests.support.factories import an_order
from tests.support.servers import free_port, wait_for_port

CALL_SECONDS = 0.3
OPEN_ORDERS = int(os.environ.get("BENCH_ORDERS", str(goals.short(20_000, 4_000))))
SENT = 240
OTHERS = 1_000


def main() -> None:
    port = free_port()
    words = [sys.executable, "-m", "tests.support.slow_provider", str(port), str(CALL_SECONDS)]
    stub = subprocess.Popen(words, cwd=ROOT)
    try:
        wait_for_port(port, stub)
        for engine in ENGINES:
            url = f"http://127.0.0.1:{port}/api/v2"
            with panel_with_open_orders(engine, orders=OPEN_ORDERS, url=url, status=Status.PENDING) as app:
                give_way(app)
                _measure(engine)
    finally:
        stub.kill()
        stub.wait()


def _measure(engine: str) -> None:
    began = time.perf_counter()
    assert sync.sweep(worker="bench", wait=True) == OPEN_ORDERS
    took = time.perf_counter() - began
    goals.report(
        f"{engine}: status of {OPEN_ORDERS:,} open orders, per 20,000",
        took * 20_000 / OPEN_ORDERS,
        at_most=12,
        unit=" s",
    )

    _make_due(SENT)
    began, cpu = time.perf_counter(), time.process_time()
    assert dispatch.sweep(worker="bench", wait=True) == SENT
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    goals.report(f"{engine}: orders sent a second", SENT / took, at_least=22)
    goals.report(f"{engine}: CPU time of sending an order", cpu / SENT * 1000, unit=" ms")
    behind = f"{engine}: one order behind {OTHERS:,} of another customer"
    goals.report(behind, _one_behind_many(), at_most=2, unit=" s")


def _make_due(count: int, **more: Any) -> None:
    """Make this many orders new ones that wait for their provider."""
    some = select(Order.id).order_by(Order.id).limit(count)
    due = {"dispatch_at": utc_now() - timedelta(seconds=1), "sync_at": None}
    values = {"status": Status.PENDING, "provider_order_id": None} | due | more
    with transaction():
        db.session.execute(update(Order).where(Order.id.in_(some)).values(values))


def _one_behind_many() -> float:
    first, *_, last = db.session.scalars(select(User).order_by(User.id)).all()
    first_id, last_id = first.id, last.id
    _make_due(OTHERS, customer_id=first_id)
    dispatch.sweep(worker="bench")
    time.sleep(1.0)
    tool = db.session.scalars(select(Tool)).one()
    order_id = an_order(customer=db.session.get_one(User, last_id), tool=tool, now=utc_now()).id
    began = time.perf_counter()
    while db.session.scalar(select(Order.provider_order_id).where(Order.id == order_id)) is None:
        db.session.rollback()
        time.sleep(0.01)
    took = time.perf_counter() - began
    with transaction():
        provider_health.pause(open_orders.provider_id(), reason="Measured.", now=utc_now())
    while provider_lanes.busy():
        time.sleep(0.05)
    return took
