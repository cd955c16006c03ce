"""Mixed load: pages while eight clients log in, and money steps while very many orders are synced.

Each beside the same without the other load, in the same run. The other load is made by processes of its own.
"""

import contextlib
import http.client
import http.cookiejar
import multiprocessing
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from panel.application import create_app
from panel.cli.init_and_worker import give_way
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import sync
from panel.models import EventSource, Order
from panel.processes.supervisor import web_command
from panel.services.orders import transitions
from panel.services.orders.transitions import Move
from panel.settings import ROOT, Settings
from tests.bench import goals
from tests.bench.open_orders import ENGINES, panel_with_open_orders
from tests.bench.push import served
from tests.support import databases
from tests.support.factories import PASSWORD, a_customer
from tests.support.servers import free_port, wait_for_port
from tests.support.session_cookies import session_cookie

CLIENTS = 8
SECONDS = goals.short(20, 6)
PAGES_A_SECOND = 100
ORDERS = goals.short(100_000, 10_000)
STEPS = goals.short(1_000, 200)
STEP_SECONDS = 0.01
REMAINS = 157

# The counters of log-ins are `multiprocessing.Value`s, for which there is no public type.
_spawn = multiprocessing.get_context("spawn")


def main() -> None:
    _pages_beside_log_ins()
    for engine in ENGINES:
        _money_beside_sync(engine)


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def _pages_beside_log_ins() -> None:
    with tempfile.TemporaryDirectory() as folder:
        databases.make_sqlite_template(Path(folder))
        app = create_app(databases.settings_for(Path(folder)))
        with app.app_context():
            customer = a_customer()
            cookie, email = session_cookie(app, customer), customer.email
        databases.close(app)
        port = free_port()
        with served(Path(folder), web_command(Settings(port=port, web_workers=1)), port):
            alone = _page_times(port, cookie)
            stop, tried, busy = _spawn.Event(), _spawn.Value("i", 0), _spawn.Value("i", 0)
            clients = _spawn.Process(target=_log_in_all, args=(port, email, stop, tried, busy), daemon=True)
            clients.start()
            while tried.value < CLIENTS:
                time.sleep(0.1)
            beside = _page_times(port, cookie)
            stop.set()
            clients.join()
    print(f"{tried.value:,} log-ins, {busy.value:,} of them answered 429")
    goals.report("page p99 alone", _p99(alone) * 1000, unit=" ms")
    goals.report(f"page p99 beside {CLIENTS} clients that log in / alone", _p99(beside) / _p99(alone), at_most=6)


def _page_times(port: int, cookie: str) -> list[float]:
    """Times of the history page, at a steady pace."""
    connection, times = http.client.HTTPConnection("127.0.0.1", port), list[float]()
    starts_at = time.monotonic()
    for number in range(PAGES_A_SECOND * SECONDS):
        time.sleep(max(0.0, starts_at + number / PAGES_A_SECOND - time.monotonic()))
        began = time.perf_counter()
        connection.request("GET", "/orders", headers={"Cookie": f"session={cookie}"})
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - began)
        assert answer.status == http.HTTPStatus.OK
    return times


def _log_in_all(port: int, email: str, stop: Event, tried: Any, busy: Any) -> None:
    """Runs in a process of its own."""
    threads = [threading.Thread(target=_log_in, args=(port, email, stop, tried, busy)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _log_in(port: int, email: str, stop: Event, tried: Any, busy: Any) -> None:
    url = f"http://127.0.0.1:{port}/log-in"
    while not stop.is_set():
        jar = http.cookiejar.CookieJar()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        form = browser.open(url).read().decode()
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
        assert found is not None
        fields = {"email": email, "password": PASSWORD, "csrf_token": found[1]}
        try:
            browser.open(url, urllib.parse.urlencode(fields).encode())
        except urllib.error.HTTPError as error:
            assert error.code == http.HTTPStatus.TOO_MANY_REQUESTS, error.code
            assert error.headers["Retry-After"] == "1"
            with busy.get_lock():
                busy.value += 1
        with tried.get_lock():
            tried.value += 1


def _money_beside_sync(engine: str) -> None:
    port = free_port()
    stub = subprocess.Popen([sys.executable, "-m", "tests.support.slow_provider", str(port), "0"], cwd=ROOT)
    try:
        wait_for_port(port, stub)
        url, count = f"http://127.0.0.1:{port}/api/v2", ORDERS + 2 * STEPS
        with panel_with_open_orders(engine, orders=count, url=url, status=Status.IN_PROGRESS) as app:
            mine = db.session.scalars(select(Order.id).order_by(Order.id.desc()).limit(2 * STEPS)).all()
            with transaction():
                later = utc_now() + timedelta(days=1)
                db.session.execute(update(Order).where(Order.id >= mine[-1]).values(sync_at=later))
            alone = _step_times(list(mine[:STEPS]), until=lambda: False)
            began, settings = _spawn.Event(), app.config["PANEL"]
            syncing = _spawn.Process(target=_sync_all, args=(settings, began), daemon=True)
            syncing.start()
            began.wait()
            beside = _step_times(list(mine[STEPS:]), until=lambda: not syncing.is_alive())
            syncing.join()
    finally:
        stub.kill()
        stub.wait()
    print(f"{engine}: {len(beside):,} steps beside the sync")
    goals.report(f"{engine}: money step p99 alone", _p99(alone) * 1000, unit=" ms")
    goals.report(f"{engine}: money step p99 beside a sync / alone", _p99(beside) / _p99(alone), at_most=3)


def _step_times(order_ids: list[int], *, until: Callable[[], bool]) -> list[float]:
    times = []
    for order_id in order_ids:
        if until():
            break
        began = time.perf_counter()
        with transaction():
            order = transitions.lock_order(order_id)
            transitions.apply_moves([Move(order, Status.PARTIAL, REMAINS, source=EventSource.PROVIDER)], now=utc_now())
        times.append(time.perf_counter() - began)
        time.sleep(STEP_SECONDS)
    return times


def _sync_all(settings: Settings, began: Event) -> None:
    """Runs in a process of its own: one sweep over all orders that are due."""
    app = create_app(settings)
    give_way(app)
    with contextlib.ExitStack() as stack:
        stack.enter_context(app.app_context())
        began.set()
        sync.sweep(worker="bench", wait=True)
