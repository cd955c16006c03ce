"""Lists and their filters read what they show, on both engines: rows are counted, plans aren't read.

Each page is requested with a short past and with a long one: in between, every table that grows with time gets
thousands of rows (`tests/support/many_rows.py`), half of them of the same customer.
"""

from collections.abc import Callable
from http import HTTPStatus

import pytest
from flask import Flask
from sqlalchemy import select, text

from panel.clock import utc_now
from panel.db import db
from panel.jobs import daily_sums
from panel.models import User
from panel.services.accounts import people_search
from panel.services.api import webhook_deliveries
from panel.services.office import audit_log_search, order_table
from panel.services.office.ledger import conditions as ledger_conditions
from panel.services.orders import history
from tests.support import logged_in_pages, many_rows, rows_read
from tests.support.logged_in_pages import LoggedInPage

SHORT, LONG = 120, 3_000
# A row that is read takes SQLite some steps; it calls back after a hundred.
MARGIN = {"sqlite": 60, "postgresql": 500}
FACTOR = 1.5
# What still grows: a customer's tickets and the closed ones are counted, all are sorted together, and a word is
# searched in all of them.
GROWS = ("/tickets", "/office/tickets/", "/office/tickets?customer", "/office/tickets?stage", "/office/tickets?q")

# Filters of lists, beside the list itself.
FILTERS = {
    "/orders": (
        "status=partial",
        "status=refill",
        "status=canceled&tool={slug}",
        "tool={slug}",
        "q={order}",
        "q=999999999",
        "q=none",
        "from={day}&to={day}",
        "from={day}&to={day}&status=partial",
        "from={day}&to={day}&q=none",
    ),
    "/tickets": ("state=closed",),
    "/balance/statement": ("from={day}&to={day}", "from=2020-01-01&to=2020-01-31"),
    "/office/orders": (
        *("q={order}", "q=none", "q=nobody@example.net", "q=p-none", "status=partial", "status=canceled"),
        *("tool={slug}", "tool={slug}&status=canceled", "provider={provider}", "provider={upstream}"),
        *("customer={email}", "customer=nobody@example.net", "queue=late", "queue=stalled", "queue=manual"),
        *("from={day}&to={day}", "from={day}&to={day}&q=none", "status=pending&from=2020-01-01&to=2020-01-31"),
    ),
    "/office/ledger": (
        *("line=1", "order={order}", "customer={customer}", "customer={email}", "kind=deposit", "kind=adjustment"),
        *("kind=return", "account=holds", "account=sales", "account=customer", "q=none", "amount=12345"),
        *("from={day}&to={day}", "customer={customer}&kind=deposit", "customer={customer}&q=none"),
        "kind=deposit&q=none",
    ),
    "/office/customers": ("q=nobody@example.net", "q=none", "q={customer}", "q={email}"),
    "/office/tickets": (
        *("whose=mine", "whose=nobodys", "stage=closed", "stage=any", "stage=closed&whose=mine", "q=none"),
        *("stage=any&q=none", "stage=any&q={email}", "customer={customer}", "customer={customer}&q=none", "page=2"),
    ),
    "/office/audit-log": (
        *("actor=none", "action=none", "subject=none", "detail=none", "from={day}&to={day}"),
        "actor=none&from={day}&to={day}",
    ),
    "/office/profit": ("by=day", "by=tool", "by=provider", "by=customer"),
    "/office/reviews": ("kind=report", "kind=unconfirmed"),
}
PUBLIC = ("/platform-status", "/platform-status/incidents", "/platform-status.json", "/updates", "/updates.atom")
# Files of everything, which grow with it.
WHOLE = frozenset({"/account/data.zip", "/orders.csv", "/balance/statement.csv"}) | {
    f"/office/{name}.csv" for name in ("orders", "customers", "ledger", "deposits", "audit-log", "profit")
}


@pytest.fixture(autouse=True)
def _bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit searches without an index to a few rows."""
    for module, name in (
        (ledger_conditions, "SEARCHED_LINES"),
        (ledger_conditions, "SEARCHED_OF_CUSTOMER"),
        (order_table, "SEARCHED_ORDERS"),
        (history, "SEARCHED_ORDERS"),
        (people_search, "SEARCHED_ACCOUNTS"),
        (people_search, "MOST_BEGINNING"),
        (audit_log_search, "SEARCHED_LINES"),
        (webhook_deliveries, "COUNTED"),
    ):
        # Fewer than the filled panel has itself: the copies' ids are below zero.
        monkeypatch.setattr(module, name, 3)


@pytest.mark.both_engines
def test_no_page_reads_what_it_does_not_show(app: Flask, engine: str) -> None:
    pages = _pages(app)
    customer = db.session.scalars(select(User).where(User.role == "customer").order_by(User.id)).first()
    assert customer is not None
    with db.engine.begin() as connection:
        copies = many_rows.Copies(connection, customer)
        copies.make(SHORT)
    if engine == "postgresql":
        _with_indexes()
    with rows_read.counted(app) as count:
        short = _measured(app, pages, count, "short")
        with db.engine.begin() as connection:
            copies.connection = connection
            copies.make(LONG)
        long = _measured(app, pages, count, "long")

    limit = MARGIN[engine]
    grows = {path: (short[path], long[path]) for path in short if long[path] > short[path] * FACTOR + limit}
    assert {path: counts for path, counts in grows.items() if not path.startswith(GROWS)} == {}


def _pages(app: Flask) -> list[LoggedInPage]:
    """All pages of those who are logged in but whole files, the public ones with such lists, and the lists filtered."""
    pages = [page for page in logged_in_pages.pages(app) if page.rule not in WHOLE]
    by_rule = {page.rule: page for page in pages}
    customer, order = by_rule["/orders"], by_rule["/orders/<int:order_id>"].path
    values = {
        "order": order.rpartition("/")[2],
        "customer": by_rule["/office/customers/<int:customer_id>"].path.rpartition("/")[2],
        "provider": by_rule["/office/providers/<int:provider_id>"].path.rpartition("/")[2],
        "upstream": by_rule["/office/providers/<int:upstream_id>/import"].path.split("/")[-2],
        "slug": by_rule["/office/tools/<slug>"].path.rpartition("/")[2],
        "reference": by_rule["/office/deposits/<reference>"].path.rpartition("/")[2],
        "email": db.session.scalars(select(User.email).where(User.role == "customer").order_by(User.id)).first(),
        "day": (utc_now() - many_rows.AGO).date().isoformat(),
    }
    pages += [LoggedInPage(path, path, customer.cookie) for path in PUBLIC]
    for path, queries in FILTERS.items():
        cookie = by_rule[path].cookie
        pages += [LoggedInPage(path, f"{path}?{query.format(**values)}", cookie) for query in queries]
    return pages


def _measured(app: Flask, pages: list[LoggedInPage], count: Callable[[], int], past: str) -> dict[str, int]:
    """What each page reads, once its first visit has filled the caches."""
    daily_sums.sweep(worker="test")
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    found = {}
    for page in pages:
        fresh = "&" if "?" in page.path else "?"
        paths = [f"{page.path}{fresh}fresh={past}-{number}" for number in (1, 2)]
        _status(app, page, paths[0])
        before = count()
        assert _status(app, page, paths[1]) == HTTPStatus.OK, page.path
        found[page.path] = count() - before
    return found


def _status(app: Flask, page: LoggedInPage, path: str) -> int:
    db.session.rollback()
    return logged_in_pages.status_of(app, LoggedInPage(page.rule, path, page.cookie))


def _with_indexes() -> None:
    """With as few rows as here, PostgreSQL rightly scans; where an index can be used, it must be."""
    name = db.engine.url.database
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for setting in ("enable_seqscan = off", "random_page_cost = 1.1", "jit = off"):
            connection.execute(text(f'ALTER DATABASE "{name}" SET {setting}'))
