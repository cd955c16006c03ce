"""Time of one request of many pages, and how much each reads, with few orders and with very many.

`BENCH_ORDERS` (default 100,000) and `BENCH_CUSTOMERS` (a hundredth of it) say how many, `BENCH_ENGINE=postgresql` on
which engine. On SQLite the panels stay in the temporary folder; the time is the CPU time of the process, and what is
read are steps of its virtual machine. On PostgreSQL a server of its own is filled in each run; the time is the clock's,
since the server is another process, and rows and entries of indexes are counted. Short rounds name the pages that grow
alone. Ten million on SQLite take 10 GB and a quarter of an hour.
"""

import contextlib
import os
import re
import tempfile
import time
from pathlib import Path

import flask_migrate
from flask import Flask
from sqlalchemy import func, select

from panel.application import create_app
from panel.db import db
from panel.domain.accounts.roles import Role
from panel.models import Order, User
from tests.bench import goals
from tests.flows.test_flat import CUSTOMERS, FACTOR, OFFICE
from tests.support import databases, large_panel, private_servers, rows_read
from tests.support.session_cookies import session_cookie

FEW = goals.short(10_000, 2_000), goals.short(1_000, 200)
MANY = goals.short(100_000, 20_000)
ENGINE = os.environ.get("BENCH_ENGINE", "sqlite")
IS_SQLITE = ENGINE == "sqlite"
ROUNDS = 3
# Beyond this many milliseconds a page that grows is named.
SMALL_MS = 5.0
ID = re.compile(r"(?<=/)\d+")
Figures = dict[tuple[str, str], tuple[float, int]]


def main() -> None:
    orders = int(os.environ.get("BENCH_ORDERS", str(MANY)))
    many = (orders, int(os.environ.get("BENCH_CUSTOMERS", str(orders // 100))))
    few_figures, many_figures = (_figures(*size) for size in (FEW, many))
    units = "CPU in milliseconds and steps in thousands" if IS_SQLITE else "Milliseconds and rows read"
    print(f"{units}, {FEW[0]:,} orders | {orders:,} orders")
    growing = 0
    for page, (ms, steps) in many_figures.items():
        few_ms, few_steps = few_figures.get(page, (0.0, 0))
        grows = ms > max(few_ms * FACTOR, few_ms + SMALL_MS)
        growing += grows
        if goals.IS_SHORT and not grows:
            continue
        scale = 10 if IS_SQLITE else 1
        figures = f"{few_ms:8.1f} {ms:8.1f} | {few_steps / scale:9.1f} {steps / scale:9.1f}"
        print(f"{'grows' if grows else '     '} {figures}  {page[0]} {page[1]}")
    goals.report(f"of {len(many_figures)} pages, those that grow by more than {FACTOR:g}", growing, at_most=0)


def _figures(orders: int, customers: int) -> Figures:
    folder = Path(tempfile.gettempdir()) / "panel-bench" / f"flat-{orders}"
    with contextlib.ExitStack() as stack:
        url = "" if IS_SQLITE else stack.enter_context(private_servers.postgresql_server())
        app = create_app(databases.settings_for(folder, database_url=url))
        if not (IS_SQLITE and (folder / "filled").exists()):
            with app.app_context():
                flask_migrate.upgrade()
                large_panel.fill(orders=orders, customers=customers)
            if IS_SQLITE:
                (folder / "filled").touch()
        found = _walked(app)
        databases.close(app)
    return found


def _walked(app: Flask) -> Figures:
    cookies, others = _people(app)
    now = time.process_time if IS_SQLITE else time.perf_counter
    found: Figures = {}
    with rows_read.counted(app) as count:
        for name, paths in others.items():
            client = app.test_client()
            client.set_cookie("session", cookies[name])
            for path in paths:
                assert client.get(path).status_code < 500, path
                times, before = [], count()
                for number in range(ROUNDS):
                    began = now()
                    client.get(f"{path}{'&' if '?' in path else '?'}fresh={number}").get_data()
                    times.append((now() - began) * 1_000)
                found[name, ID.sub("…", path)] = (sorted(times)[ROUNDS // 2], (count() - before) // ROUNDS)
    return found


def _people(app: Flask) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Cookies of a customer with a fifth of the orders, one with few, and somebody of the office; and their pages."""
    with app.app_context():
        large_id = db.session.scalars(select(func.min(Order.customer_id))).one()
        large, small = (db.session.get_one(User, number) for number in (large_id, large_id + 1))
        operator = db.session.scalars(select(User).where(User.role != Role.CUSTOMER).order_by(User.id)).first()
        assert operator is not None
        cookies = {
            name: session_cookie(app, user) for name, user in (("large", large), ("small", small), ("office", operator))
        }
        newest_own = db.session.scalar(select(func.max(Order.id)).where(Order.customer_id == large_id))
        returned = select(Order.id).where(Order.customer_id == large_id + 1, Order.returned_nanos > 0).limit(1)
        receipt = f"/orders/{db.session.scalar(returned)}/receipt"
        whose = [f"/office/customers/{user.id}" for user in (large, small)]
        whose += [f"/office/ledger?customer={user.id}" for user in (large, small)]
        newest = db.session.scalar(select(func.max(Order.placed_at)))
        assert newest is not None
        days = f"from={newest.date().replace(day=1)}&to={newest.date()}"
    profit = tuple(f"/office/profit?{days}&by={by}" for by in ("day", "tool", "provider", "customer"))
    long_ago = tuple(f"/office/{page}?from=2026-09-01&to=2026-09-01" for page in ("ledger", "orders"))
    held = ("/office/ledger?kind=return", "/office/ledger?account=sales", f"/office/ledger?q=none&{days}")
    office = (*OFFICE, *whose, *profit, *long_ago, *held, *_plain(app))
    return cookies, {
        "large": (*CUSTOMERS, f"/orders/{newest_own}"),
        "small": (*CUSTOMERS, receipt),
        "office": tuple(dict.fromkeys(office)),
    }


def _plain(app: Flask) -> list[str]:
    """All pages of the office without a value in their address."""
    rules = [rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments]
    return sorted(rule for rule in rules if rule.startswith("/office/") and not rule.endswith((".csv", "/live")))


if __name__ == "__main__":
    main()
