"""Pagination of office lists: every row exactly once, in a stable order, also with equal times."""

import html
import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.blueprints.office import deposits as deposit_pages
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import AuditLogEntry, DepositRequest, Order, Review, Ticket, Transfer, User
from panel.services import audit_log, reviews
from panel.services.money import deposits
from panel.services.office import audit_log_search, customers, ledger_search, order_table, review_list
from panel.services.orders import history as order_history
from panel.services.tickets import customer_list, queue
from tests.support.factories import NOON, a_customer, a_tool, an_order, logged_in
from tests.support.ticket_factories import a_ticket

PAGE = 3
ROWS = 3 * PAGE + 1
MAX_PAGES = 20


def walk(client: FlaskClient, path: str, row: str) -> list[int]:
    """Row ids of all pages, found by following the “next” links."""
    found: list[int] = []
    for _ in range(MAX_PAGES):
        page = client.get(path)
        assert page.status_code == 200, path
        numbers = [int(number) for number in re.findall(rf'<tr id="{row}-(\d+)"', page.text)]
        assert len(numbers) <= PAGE
        found += numbers
        onward = re.search(r'rel="next" href="([^"]+)"', page.text)
        if onward is None:
            return found
        path = html.unescape(onward[1])
    raise AssertionError(f"{path} never ends")


def _orders() -> None:
    customer, tool = a_customer("1000"), a_tool()
    for _ in range(ROWS):
        an_order(customer=customer, tool=tool, status=Status.COMPLETED, now=NOON)


def _customers() -> None:
    for _ in range(ROWS):
        a_customer("0")


def _deposits() -> None:
    for _ in range(ROWS):
        customer = a_customer("0")
        with transaction():
            deposits.request_deposit(customer.id, amount_nanos=2_000_000_000, now=NOON)


def _reviews() -> None:
    """Add reviews with and without a timeout, with ids in mixed order."""
    with transaction():
        for number in range(ROWS):
            kind = "unconfirmed" if number % 2 else "provider_silent"
            reviews.open_review(kind, text=f"Look at this, {number}.", now=NOON)


def _log() -> None:
    with transaction():
        for number in range(ROWS):
            audit_log.write("looked", actor="olga", subject=f"order {number}", now=NOON)


def _tickets() -> None:
    """Add ten tickets of ten customers, all at the same time."""
    for _ in range(ROWS):
        a_ticket(customer=a_customer("0"), now=NOON)


Make = Callable[[], None]

# Address of each list, the prefix of its row ids, a function that adds rows, and the table.
LISTS = [
    ("/office/orders", "order", _orders, select(Order.id)),
    ("/office/customers", "customer", _customers, select(User.id)),
    ("/office/ledger", "line", _orders, select(Transfer.id)),
    ("/office/audit-log", "log", _log, select(AuditLogEntry.id)),
    ("/office/reviews", "review", _reviews, select(Review.id)),
    ("/office/deposits", "deposit", _deposits, select(DepositRequest.id)),
    ("/office/tickets", "ticket", _tickets, select(Ticket.id)),
]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (order_history, order_table, customers, ledger_search, audit_log_search, review_list, deposit_pages):
        monkeypatch.setattr(module, "PAGE_SIZE", PAGE)
    monkeypatch.setattr(queue, "ROWS_PER_PAGE", PAGE)
    monkeypatch.setattr(customer_list, "TICKETS_PER_PAGE", PAGE)


@pytest.mark.both_engines
@pytest.mark.parametrize(("path", "row", "make", "everything"), LISTS, ids=[path for path, *_rest in LISTS])
def test_pages_of_an_office_list_hold_each_row_once(
    office: FlaskClient, small_pages: None, path: str, row: str, make: Make, everything: object
) -> None:
    make()

    seen = walk(office, path, row)

    expected = set(db.session.scalars(everything))  # type: ignore[call-overload]
    assert len(expected) >= ROWS
    assert len(seen) == len(set(seen)), f"{path} shows a row twice: {seen}"
    assert set(seen) == expected


def test_reviews_with_a_deadline_come_first_over_all_pages(office: FlaskClient, small_pages: None) -> None:
    _reviews()

    seen = walk(office, "/office/reviews", "review")

    kinds = {row.id: row.kind for row in db.session.execute(select(Review.id, Review.kind))}
    with_deadline = [number for number in sorted(kinds) if kinds[number] == "unconfirmed"]
    assert seen == with_deadline + sorted(set(kinds) - set(with_deadline))


@pytest.mark.parametrize("path", ["/orders", "/orders?status=completed&q=example"])
def test_pages_of_a_customers_history_hold_each_order_once(client: FlaskClient, small_pages: None, path: str) -> None:
    customer, tool = a_customer("1000"), a_tool()
    made = [an_order(customer=customer, tool=tool, status=Status.COMPLETED, now=NOON).id for _ in range(ROWS)]
    logged_in(client, customer)

    assert walk(client, path, "order") == made[::-1]


def test_pages_of_a_customers_tickets_hold_each_ticket_once(client: FlaskClient, small_pages: None) -> None:
    customer = a_customer("0")
    made = [a_ticket(customer=customer, now=NOON).id for _ in range(5)]
    logged_in(client, customer)

    seen = walk(client, "/tickets", "ticket")

    assert sorted(seen) == made


@pytest.mark.parametrize(
    ("path", "module", "make", "everything"),
    [
        ("/office/ledger.csv", ledger_search, _orders, select(Transfer.id)),
        ("/office/audit-log.csv", audit_log_search, _log, select(AuditLogEntry.id)),
    ],
)
def test_files_read_in_batches_hold_each_line_once(
    office: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str, module: object, make: Make, everything: object
) -> None:
    monkeypatch.setattr(module, "BATCH_SIZE", PAGE)
    make()

    lines = office.get(path).text.splitlines()

    expected = sorted(db.session.scalars(everything), reverse=True)  # type: ignore[call-overload]
    assert [int(line.split(",")[0]) for line in lines[1:]] == expected
