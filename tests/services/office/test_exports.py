"""CSV exports of the office: every row under the filters of its list, over all batches, and nothing else."""

import csv
import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from panel.db import db, transaction
from panel.domain.status import Status
from panel.services.money import deposits
from panel.services.office import exports
from tests.support.factories import NOON, a_customer, a_tool, an_operator, an_order, logged_in

MAX_STATEMENTS = 100


@pytest.fixture
def office(client: FlaskClient) -> FlaskClient:
    return logged_in(client, an_operator())


@contextmanager
def statements(*, at_most: int) -> Iterator[None]:
    """Raise at one statement more, so that pages without an end fail the test instead of running for ever."""
    numbers = itertools.count(1)

    def count(*_given: object) -> None:
        assert next(numbers) <= at_most, f"more than {at_most} statements"

    event.listen(db.engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(db.engine, "before_cursor_execute", count)


def table(client: FlaskClient, address: str) -> list[dict[str, str]]:
    with statements(at_most=MAX_STATEMENTS):
        answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_orders_of_all_batches_are_exported_under_the_filters(
    office: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "BATCH_SIZE", 2)
    customer, tool = a_customer("50", email="ada@example.com"), a_tool(price="0.90")
    partial = [an_order(customer=customer, tool=tool, status=Status.PARTIAL, remains=4) for _ in range(5)]
    an_order(customer=customer, tool=tool, status=Status.COMPLETED)

    rows = table(office, "/office/orders.csv?status=partial&customer=ada%40example.com")

    assert [row["order"] for row in rows] == [str(order.id) for order in reversed(partial)]
    order, row = partial[0], rows[-1]
    assert tuple(row) == exports.ORDER_HEAD
    assert (row["email"], row["status"], row["tool"]) == ("ada@example.com", "Partial", tool.name)
    assert (row["quantity"], row["delivered"]) == (str(order.quantity), str(order.quantity - 4))
    assert (row["charge"], row["returned"]) == ("0.90", "0.0036")
    assert len(table(office, "/office/orders.csv")) == 6


def test_wrong_filter_says_so_instead_of_a_file(office: FlaskClient) -> None:
    answer = office.get("/office/orders.csv?from=yesterday")

    assert (answer.status_code, answer.mimetype) == (422, "text/html")


def test_customers_are_exported_as_searched(office: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "BATCH_SIZE", 2)
    people = [a_customer("1.5", email=f"person{number}@example.com") for number in range(5)]
    a_customer(email="=cmd@example.org")

    rows = table(office, "/office/customers.csv?q=example.com")

    found = [row for row in rows if row["role"] == "customer"]
    assert [row["email"] for row in found] == [person.email for person in reversed(people)]
    assert {(row["balance"], row["orders"], row["last_seen_at"]) for row in found} == {("1.50", "0", "")}
    assert "'=cmd@example.org" in {row["email"] for row in table(office, "/office/customers.csv")}


def test_every_deposit_is_exported_with_what_became_of_it(office: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "BATCH_SIZE", 2)
    customer = a_customer(email="ada@example.com")
    later = NOON + timedelta(hours=1)
    with transaction():
        waiting, confirmed, refused = (
            deposits.request_deposit(customer.id, amount_nanos=nanos * 10**9, now=NOON) for nanos in (5, 6, 7)
        )
        deposits.confirm(confirmed.reference, amount_nanos=4 * 10**9, note="Paid.", now=later)
        deposits.refuse(refused.reference, reason="Nothing arrived.", now=later)
        references = [each.reference for each in (refused, confirmed, waiting)]

    rows = table(office, "/office/deposits.csv")

    assert [row["reference"] for row in rows] == references
    assert [row["state"] for row in rows] == ["refused", "confirmed", "waiting"]
    assert [row["requested"] for row in rows] == ["7.00", "6.00", "5.00"]
    assert [row["credited"] for row in rows] == ["", "4.00", ""]
    assert [row["reason"] for row in rows] == ["Nothing arrived.", "", ""]
    assert [bool(row["decided_at"]) for row in rows] == [True, True, False]


@pytest.mark.parametrize("name", ["orders", "customers", "deposits"])
def test_exports_are_for_operators_alone(client: FlaskClient, name: str) -> None:
    assert logged_in(client, a_customer()).get(f"/office/{name}.csv").status_code == 404
