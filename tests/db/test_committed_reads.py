"""Reads without a session return what the session reads, and leave to it what they can't read."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Select, select, update

from panel.db import db, transaction
from panel.db.committed_reads import EXTENSION, CommittedRead
from panel.domain.lists.order_filters import OrderFilters
from panel.domain.status import Status
from panel.models import User
from panel.services.catalogue import read_tools
from panel.services.orders import history
from tests.support.factories import NOON, a_customer, a_tool, an_order

pytestmark = pytest.mark.both_engines


@pytest.fixture
def customer(app: Flask) -> User:
    customer, tools = a_customer("1000"), [a_tool(), a_tool("another-tool")]
    for number, status in enumerate(Status):
        placed = NOON + timedelta(days=number, microseconds=number)
        an_order(
            customer=customer,
            tool=tools[number % 2],
            status=status,
            link=f"https://example.com/page-{number}",
            now=placed,
        )
    an_order(tool=tools[0])
    return customer


def test_every_read_returns_the_rows_of_the_session(app: Flask, customer: User) -> None:
    ids = [row.id for row in history.history_page(customer.id, filters=OrderFilters()).rows]
    filtered = OrderFilters(status=Status.PENDING, search="page-0", first=NOON.date())
    values = history._values(customer.id, filters=filtered, search=history._search(customer.id, filtered), most=26)
    reads: list[tuple[CommittedRead, dict[str, Any]]] = [
        (history._known(frozenset({"customer_id", "most"})), {"customer_id": customer.id, "most": 26}),
        (history._known(frozenset(values)), values),
        (history._IN_FULL, {"customer_id": customer.id, "ids": ids}),
        (history._IN_FULL, {"customer_id": customer.id, "ids": []}),
        (history._COUNTS, {"customer_id": customer.id}),
        (history._TOOLS_USED_COMMITTED, {"customer_id": customer.id}),
        (read_tools._TOOL_NAMES, {}),
    ]
    for read, given in reads:
        rows = sorted(tuple(row) for row in read.fetch(given))

        assert rows == sorted(tuple(row) for row in db.session.execute(read._make(), given))
        assert rows or given.get("ids") == [], given


def test_time_is_read_as_the_session_reads_it(app: Flask, customer: User) -> None:
    times: Select[Any] = select(User.created_at, User.email_confirmed_at).order_by(User.id)

    found = [tuple(row) for row in CommittedRead(lambda: times).fetch({})]

    assert found == [tuple(row) for row in db.session.execute(times)]
    assert found[0][0].utcoffset() == timedelta(0)


def test_read_sees_each_commit_and_nothing_before(app: Flask, customer: User) -> None:
    names = read_tools.tool_names()
    with transaction():
        db.session.execute(update(read_tools.TOOLS).values(name="Renamed"))
        assert read_tools.tool_names() == names

    assert {tool.name for tool in read_tools.tool_names().values()} == {"Renamed"}


def test_session_reads_what_the_reader_cannot(app: Flask, customer: User) -> None:
    def fails(_values: object) -> None:
        return None

    counts = history.counts_by_status(customer.id)
    for read, (_reader, lock) in dict(app.extensions[EXTENSION]).items():
        app.extensions[EXTENSION][read] = fails, lock

    assert history.counts_by_status(customer.id) == counts
    assert counts[Status.PENDING] == 1
