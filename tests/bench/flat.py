"""CPU time and SQLite's steps of one request of many pages, with few orders and with very many.

`BENCH_ORDERS` (default 100,000) and `BENCH_CUSTOMERS` (a hundredth of it) say how many; the panels stay in the
temporary folder. Short rounds name the pages that grow alone. Ten million take 10 GB and a quarter of an hour.
"""

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
from tests.flows.test_flat import CUSTOMERS, FACTOR, OFFICE, counting
from tests.support import databases, large_panel
from tests.support.session_cookies import session_cookie

FEW = goals.short(10_000, 2_000), goals.short(1_000, 200)
MANY = goals.short(100_000, 20_000)
ROUNDS = 3
# Beyond this many milliseconds of CPU a page that grows is named.
SMALL_MS = 5.0
ID = re.compile(r"(?<=/)\d+")
Figures = dict[tuple[str, str], tuple[float, int]]


def main() -> None:
    orders = int(os.environ.get("BENCH_ORDERS", str(MANY)))
    many = (orders, int(os.environ.get("BENCH_CUSTOMERS", str(orders // 100))))
    few_figures, many_figures = (_figures(*size) for size in (FEW, many))
    print(f"CPU in milliseconds and steps in thousands, {FEW[0]:,} orders | {orders:,} orders")
    growing = 0
    for page, (ms, steps) in many_figures.items():
        few_ms, few_steps = few_figures.get(page, (0.0, 0))
        grows = ms > max(few_ms * FACTOR, few_ms + SMALL_MS)
        growing += grows
        if goals.IS_SHORT and not grows:
            continue
        figures = f"{few_ms:8.1f} {ms:8.1f} | {few_steps / 10:9.1f} {steps / 10:9.1f}"
        print(f"{'grows' if grows else '     '} {figures}  {page[0]} {page[1]}")
    goals.report(f"of {len(many_figures)} pages, those that grow by more than {FACTOR:g}", growing, at_most=0)


def _figures(orders: int, customers: int) -> Figures:
    folder = Path(tempfile.gettempdir()) / "panel-bench" / f"flat-{orders}"
    app = create_app(databases.settings_for(folder))
    if not (folder / "filled").exists():
        with app.app_context():
            flask_migrate.upgrade()
            large_panel.fill(folder / "panel.db", orders=orders, customers=customers)
        (folder / "filled").touch()
    cookies, others = _people(app)
    counted = counting(app)
    found: Figures = {}
    for name, paths in others.items():
        client = app.test_client()
        client.set_cookie("session", cookies[name])
        for path in paths:
            assert client.get(path).status_code < 500, path
            times, before = [], counted[0]
            for number in range(ROUNDS):
                began = time.process_time()
                client.get(f"{path}{'&' if '?' in path else '?'}fresh={number}").get_data()
                times.append((time.process_time() - began) * 1_000)
            found[name, ID.sub("…", path)] = (sorted(times)[ROUNDS // 2], (counted[0] - before) // ROUNDS)
    databases.close(app)
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
