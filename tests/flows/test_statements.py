"""Number of SQL statements of each page of those who are logged in, of the history, and of placing an order."""

from datetime import timedelta

import pytest
from flask import Flask

from panel.blueprints.office import layout
from panel.db import transaction
from panel.services import customer_version
from panel.services.catalogue import tools
from panel.services.orders import placing
from tests.support import logged_in_pages
from tests.support.api_clients import a_caller
from tests.support.factories import LINK, a_customer, a_tool, an_order, logged_in
from tests.support.logged_in_pages import LoggedInPage
from tests.support.statements import TracedStatements, traced

MOST = 6
MOST_OF_HISTORY = 3
MOST_OF_PLACING = 10
# The key and, without a request id, whether it was sent twice.
MOST_OF_API_ADD = 11

# Pages that need more. The office's frame has one of its own, who is there, and two after a commit: the queues and the
# time rules (on PostgreSQL always).
MORE = {
    # Everything that the account has, in one file: a statement for each kind of thing.
    "/account/data.zip": 46,
    # The whole period, by day and in blocks, without an open transaction while it is sent.
    "/balance/statement.csv": 7,
    # Everything around one order or one customer, each from a table of its own: reviews, attempts, tickets, transfers,
    # claims, costs, proposals, audit log.
    "/office/orders/<int:order_id>": 25,
    "/office/customers/<int:customer_id>": 21,
    # The thread, what it is about, and the customer's context.
    "/office/tickets/<int:ticket_id>": 15,
    # The import, its rules, and the tools that it is compared with.
    "/office/providers/<int:upstream_id>/import": 9,
    # The tool, its earlier and its planned terms, and its providers.
    "/office/tools/<slug>": 7,
}


def test_no_page_executes_more_statements_than_its_limit(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    # However long a page takes here, the queues of the one before are fresh, since nothing is committed.
    monkeypatch.setattr(layout, "QUEUES_AGE", timedelta(hours=1))
    with traced(app) as statements:
        pages = logged_in_pages.pages(app)

        counts = {page.rule: _count(app, page, statements) for page in pages}

    assert len(pages) > 80
    assert {rule: count for rule, count in counts.items() if count > MORE.get(rule, MOST)} == {}
    # A limit goes down with its page.
    assert {rule: counts[rule] for rule, limit in MORE.items() if counts[rule] < limit} == {}


def test_history_after_a_change_executes_three_statements(app: Flask) -> None:
    customer = a_customer("100")
    an_order(customer=customer)
    with traced(app) as statements:
        client = logged_in(app.test_client(), customer)
        for path in ("/orders", "/orders/live"):
            assert client.get(path).status_code == 200
            with transaction():
                customer_version.bump([customer.id])
            statements.clear()

            assert client.get(path).status_code == 200

            assert len(statements.texts) <= MOST_OF_HISTORY, statements.texts


def test_placing_an_order_executes_no_more_statements_than_its_limit(app: Flask) -> None:
    customer, tool = a_customer("100"), a_tool()
    offer = tools.find(tool.slug)
    assert offer is not None
    form = {"tool": tool.slug, "link": LINK, "quantity": "100", "terms": str(offer.terms_id)}
    form |= {"terms_price": str(offer.price_micros_per_thousand)}
    with traced(app) as statements:
        client = logged_in(app.test_client(), customer)
        for _ in range(2):
            statements.clear()
            answer = client.post("/orders", data=form | {"request_id": placing.new_request_id()})
            assert answer.status_code == 303, answer.text

    assert len(statements.texts) <= MOST_OF_PLACING, statements.texts


def test_placing_over_the_api_executes_no_more_statements_than_its_limit(app: Flask) -> None:
    customer, tool_id = a_customer("100"), a_tool().id
    caller = a_caller(app.test_client(), customer)
    order = {"service": str(tool_id), "link": LINK, "quantity": "100"}
    with traced(app) as statements:
        caller.call("add", **order)
        for more, most in (({}, MOST_OF_API_ADD), ({"request_id": "mine-1"}, MOST_OF_API_ADD - 1)):
            statements.clear()

            assert "order" in caller.call("add", **order, **more)

            assert len(statements.texts) <= most, statements.texts


def _count(app: Flask, page: LoggedInPage, statements: TracedStatements) -> int:
    """Statements of the page once its caches are filled."""
    assert logged_in_pages.status_of(app, page) == 200
    statements.clear()
    assert logged_in_pages.status_of(app, page) == 200
    return len(statements.texts)
