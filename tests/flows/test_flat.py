"""Page cost doesn't grow with the number of ended orders, measured in steps of SQLite's virtual machine."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.application import create_app
from panel.blueprints.account.balance import ENTRIES_PER_PAGE
from panel.db import db, transaction
from panel.models import AuditLogEntry, User
from panel.services.accounts import people_search
from panel.services.money import profit
from panel.services.office import audit_log_search, order_table
from panel.services.office.ledger import conditions as ledger_conditions
from panel.services.orders import history
from tests.support import databases, large_panel, rows_read
from tests.support.factories import NOON, a_customer, an_operator, an_order, logged_in
from tests.support.session_cookies import session_cookie

FEW, MANY = 1_000, 10_000
# Pages may need this much more: indexes are deeper, and some searches read up to a limit.
FACTOR, MARGIN = 1.5, 100

CUSTOMERS = (
    "/orders",
    "/orders?status=partial",
    "/orders?status=refill",
    "/orders?q=7",
    "/orders?q=999999999",
    "/orders?q=https://example.com/none",
    "/orders?tool=tool-number-2",
    "/orders?tool=tool-number-2&status=canceled",
    "/orders?tool=tool-number-2&status=refill",
    "/orders?from=2026-09-01&to=2026-09-01&q=none",
    "/orders/new?tool=tool-number-1",
    "/balance",
    "/balance/statement?from=2026-01-01&to=2026-12-31",
    "/balance/statement?from=2026-01-01&to=2026-12-31&page=3",
    "/balance/statement?from=2026-09-01&to=2026-09-01",
    "/account",
    "/tickets",
)
OFFICE = (
    "/office",
    "/office/orders",
    "/office/orders?status=partial",
    "/office/orders?status=refill",
    "/office/orders?q=7",
    "/office/orders?q=p-7",
    "/office/orders?q=none",
    "/office/orders?q=customer7@example.net",
    "/office/orders?q=nobody@example.net",
    "/office/orders?customer=customer7@example.net",
    "/office/orders?provider=1",
    "/office/orders?provider=2",
    "/office/orders?queue=late",
    "/office/orders?queue=stalled",
    "/office/orders?queue=manual",
    "/office/ledger",
    "/office/ledger?account=holds",
    "/office/ledger?kind=deposit",
    "/office/ledger?kind=return",
    "/office/ledger?account=sales",
    "/office/ledger?account=customer",
    "/office/ledger?from=2026-09-01&to=2026-09-01",
    "/office/ledger?kind=adjustment&from=2026-09-01",
    "/office/ledger?customer=2",
    "/office/ledger?customer=2&from=2026-09-01&to=2026-11-15",
    "/office/profit?from=2026-10-22&to=2026-11-20&by=day",
    "/office/profit?from=2026-10-22&to=2026-11-20&by=tool",
    "/office/profit?from=2026-10-22&to=2026-11-20&by=provider",
    "/office/profit?from=2026-10-22&to=2026-11-20&by=customer",
    "/office/ledger?q=none",
    "/office/ledger?order=77",
    "/office/providers",
    "/office/tools",
    "/office/customers",
    "/office/reviews",
    "/office/refills",
    "/office/audit-log",
    "/office/deposits",
    "/office/approvals",
    "/office/staff",
    "/office/time-rules",
    "/office/customers?q=nobody@example.net",
    "/metrics",
)


@pytest.fixture(autouse=True)
def _bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit searches without an index to a number of rows that the small panel has as well."""
    monkeypatch.setattr(ledger_conditions, "SEARCHED_LINES", FEW // 10)
    monkeypatch.setattr(ledger_conditions, "SEARCHED_OF_CUSTOMER", FEW // 10)
    monkeypatch.setattr(order_table, "SEARCHED_ORDERS", FEW // 2)
    monkeypatch.setattr(history, "SEARCHED_ORDERS", FEW // 10)
    monkeypatch.setattr(people_search, "SEARCHED_ACCOUNTS", FEW // 2)
    monkeypatch.setattr(people_search, "MOST_BEGINNING", FEW // 2)
    monkeypatch.setattr(profit, "MAX_ORDERS_BY_CUSTOMER", FEW // 10)


def test_every_page_reads_as_much_with_ten_times_the_orders(tmp_path: Path, sqlite_template: Path) -> None:
    few, many = (steps_of_pages(tmp_path / str(orders), sqlite_template, orders=orders) for orders in (FEW, MANY))

    assert {page: (few[page], many[page]) for page in few if many[page] > few[page] * FACTOR + MARGIN} == {}


@pytest.mark.both_engines
def test_statement_of_a_year_opens_as_quickly_with_200_000_lines(app: Flask, engine: str) -> None:
    customers = {lines: a_customer("0").id for lines in (200, 200_000)}
    for lines, customer_id in customers.items():
        large_panel.fill_statement(customer_id=customer_id, lines=lines)

    few, many = (read_by_statement(app, customer_id, lines=lines) for lines, customer_id in customers.items())

    # Other pages than the first may also read the lines of one day, of which there are 548. On PostgreSQL rows are
    # counted, and 365 days have a sum instead of 200.
    margins = {
        "sqlite": {"first": MARGIN, "middle": MARGIN + 300, "last": MARGIN + 300},
        "postgresql": {"first": 5 * 165, "middle": 5 * 548, "last": 5 * 548},
    }[engine]
    assert {page: (few[page], many[page]) for page in few if many[page] > few[page] * FACTOR + margins[page]} == {}


def test_bounded_searches_say_what_they_searched(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (ledger_conditions, "SEARCHED_LINES"),
        (order_table, "SEARCHED_ORDERS"),
        (history, "SEARCHED_ORDERS"),
    ):
        monkeypatch.setattr(module, name, 1)
    customer = a_customer("1000")
    old = an_order(customer=customer, link="https://example.com/old", now=NOON - timedelta(days=2))
    new = an_order(customer=customer, link="https://example.com/new", now=NOON)
    of_old = "from=2026-11-18&to=2026-11-18"
    assert (old.placed_at.date().isoformat(), new.placed_at.date().isoformat()) == ("2026-11-18", "2026-11-20")

    def rows(path: str) -> tuple[list[str], bool]:
        page = client.get(path).text
        return re.findall(
            r'<tr id="order-(\d+)"', page
        ), "earched the newest 1 " in page or "earched your newest 1 " in page

    logged_in(client, customer)
    assert rows("/orders?q=example.com") == ([str(new.id)], True)
    assert rows(f"/orders?q=example.com&{of_old}") == ([str(old.id)], False)
    assert rows("/orders?q=nothing") == ([], True)
    assert rows(f"/orders?q={old.id}") == ([str(old.id)], False)
    logged_in(client, an_operator())
    assert rows("/office/orders?q=example.com") == ([str(new.id)], True)
    assert rows(f"/office/orders?q=example.com&{of_old}") == ([str(old.id)], False)
    ledger = client.get("/office/ledger?q=charge").text
    assert "Only the newest 1 lines were searched" in ledger
    assert re.findall(r'<tr id="line-(\d+)"', ledger) == [str(max(re.findall(r"line=(\d+)", ledger), key=int))]


def test_search_of_the_audit_log_says_what_it_searched(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log_search, "SEARCHED_LINES", 1)
    logged_in(client, an_operator())
    days = (NOON - timedelta(days=3), NOON - timedelta(days=2), NOON)
    with transaction():
        for day in days:
            db.session.add(AuditLogEntry(actor="root", action="tested", subject=f"day {day.day}", at=day))

    def rows(query: str) -> tuple[list[str], bool]:
        page = client.get(f"/office/audit-log?{query}").text
        return re.findall(r"\?subject=day\+(\d+)", page), "Searched the newest 1 " in page

    assert rows("action=tested") == (["20"], True)
    assert rows("action=tested&from=2026-11-18&to=2026-11-18") == (["18"], False)
    assert rows("action=tested&from=2026-11-17") == (["20", "18"], True)
    assert rows("from=2026-11-18") == (["20", "18"], False)


def steps_of_pages(instance: Path, template: Path, *, orders: int) -> dict[tuple[str, str], int]:
    """Steps of each page, in hundreds, once its first visit has warmed the caches."""
    databases.copy_sqlite(template, instance)
    app = create_app(databases.settings_for(instance))
    with app.app_context():
        panel = large_panel.fill(orders=orders, customers=orders)
        people = {"large": panel.large, "small": panel.small, "office": panel.operator}
        cookies = {name: session_cookie(app, user) for name, user in people.items()}
        office = (*OFFICE, f"/office/customers/{panel.small.id}")
        orders_pages = (f"/orders/{panel.order_id}", f"/orders/{panel.oldest_id}/receipt")
        own = {"large": CUSTOMERS, "small": (*CUSTOMERS, *orders_pages), "office": office}
    steps = {}
    counted = rows_read.counting(app)
    for name, paths in own.items():
        client = app.test_client()
        client.set_cookie("session", cookies[name])
        for path in paths:
            assert client.get(path).status_code == 200, path
            before = counted[0]
            client.get(f"{path}{'&' if '?' in path else '?'}fresh=1")
            steps[name, re.sub(r"/\d+", "/…", path)] = counted[0] - before
    databases.close(app)
    return steps


def read_by_statement(app: Flask, customer_id: int, *, lines: int) -> dict[str, int]:
    """What the first page reads, one in the middle, and the last one of a year."""
    client, read = app.test_client(), {}
    client.set_cookie("session", session_cookie(app, db.session.get_one(User, customer_id)))
    pages = lines // ENTRIES_PER_PAGE
    with rows_read.counted(app) as count:
        for name, page in {"first": 1, "middle": pages // 2, "last": pages}.items():
            path = f"/balance/statement?from=2026-01-01&to=2026-12-31&page={page}"
            shown = client.get(path).text
            before = count()
            assert f"Page {page} of {pages}" in shown and "Sums checked" in shown
            assert client.get(f"{path}&fresh=1").text.count('id="line-') == ENTRIES_PER_PAGE
            read[name] = count() - before
    return read
