"""Sync of very many open orders by one worker: end to end, and the database's part against bare statements."""

import os
import subprocess
import sys
import time
from datetime import timedelta

from sqlalchemy import update

from panel.cli.init_and_worker import give_way
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.provider_report import Report
from panel.domain.status import Status
from panel.jobs import sync
from panel.models import Order
from panel.services.orders import sync as order_sync
from panel.settings import ROOT
from tests.bench import goals, open_orders, raw
from tests.bench.open_orders import ENGINES, panel_with_open_orders
from tests.support.servers import free_port, wait_for_port

ORDERS = int(os.environ.get("BENCH_ORDERS", str(goals.short(100_000, 10_000))))
BATCH = 100


def main() -> None:
    port = free_port()
    stub = subprocess.Popen([sys.executable, "-m", "tests.support.slow_provider", str(port), "0"], cwd=ROOT)
    try:
        wait_for_port(port, stub)
        for engine in ENGINES:
            url = f"http://127.0.0.1:{port}/api/v2"
            with panel_with_open_orders(engine, orders=ORDERS, url=url, status=Status.PENDING) as app:
                give_way(app)
                _measure(engine)
    finally:
        stub.kill()
        stub.wait()


def _measure(engine: str) -> None:
    provider_id = open_orders.provider_id()
    began = time.perf_counter()
    assert sync.sweep(worker="bench", wait=True) == ORDERS
    whole = time.perf_counter() - began
    goals.report(
        f"{engine}: whole sweep of {ORDERS:,} orders, per 100,000", whole * 100_000 / ORDERS, at_most=60, unit=" s"
    )
    ours, bare = 0.0, 0.0
    # In turns, so that other load on the machine affects both alike.
    for turn in range(5):
        _make_due()
        ours += _ours(provider_id, remains=499 - turn, batches=ORDERS // BATCH // 5)
        bare += _bare(remains=499 - turn, batches=ORDERS // BATCH // 5)
    print(f"{engine}: database part {ORDERS / ours:,.0f} orders a second, bare {ORDERS / bare:,.0f}")
    goals.report(f"{engine}: database part / bare executemany", bare / ours, at_least=0.5)


def _make_due() -> None:
    with transaction():
        db.session.execute(update(Order).values(sync_at=utc_now() - timedelta(days=1)))


def _ours(provider_id: int, *, remains: int, batches: int) -> float:
    began = time.perf_counter()
    for _ in range(batches):
        now = utc_now()
        with transaction():
            asked = order_sync.take_batch(provider_id, again_seconds=3600, now=now)
        reports = {ask.order_id: Report("In progress", str(remains), "10") for ask in asked}
        with transaction():
            moved = order_sync.apply_reports(asked, reports, now=now)
        assert moved == BATCH
    return time.perf_counter() - began


def _bare(*, remains: int, batches: int) -> float:
    """The same rows, two transactions per batch, without reads."""
    db.session.rollback()
    connection = raw.RawConnection()
    at, later = connection.moment(utc_now()), connection.moment(utc_now() + timedelta(hours=1))
    connection.begin()
    connection.one("SELECT id, version, customer_id FROM orders ORDER BY id DESC LIMIT ?", [batches * BATCH])
    found = connection.cursor.fetchall()
    connection.commit()
    began = time.perf_counter()
    for start in range(0, len(found), BATCH):
        some = found[start : start + BATCH]
        connection.begin()
        connection.many(raw.NEXT, [(later, order) for order, *_ in some])
        connection.commit()
        orders = [("in_progress", remains, 10, 0, 0, "", at, None, None, order, version) for order, version, _ in some]
        events = [
            (order, "counted", "provider", "in_progress", "in_progress", remains, 10, 0, 0, version + 1, "", "", at)
            for order, version, _ in some
        ]
        connection.begin()
        connection.many(raw.ORDER, orders)
        connection.many(raw.EVENT, events)
        connection.many(raw.CUSTOMER, [(customer,) for customer in sorted({row[2] for row in some})])
        connection.commit()
    spent = time.perf_counter() - began
    connection.close()
    return spent
