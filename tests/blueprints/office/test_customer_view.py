"""See as this customer: the customer's pages as a read-only copy, logged, and never mixed with the operator's own."""

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.blueprints.office.operations import read_only_page
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.accounts.roles import Role
from panel.domain.status import Status
from panel.models import AuditLogEntry, User
from panel.services.money import deposits
from tests.support import ledger_oracle
from tests.support.factories import a_customer, an_operator, an_order, logged_in
from tests.support.ticket_factories import a_ticket

SCRIPT_OR_FORM = re.compile(r"<script|<form[^>]*post|csrf_token|data-hx-|data-push=", re.IGNORECASE)


@pytest.fixture
def customer() -> User:
    return a_customer("100", email="ada@example.com")


def begun(client: FlaskClient, customer: User, role: Role = Role.SUPPORT) -> str:
    """Log staff in and begin the view; its address."""
    logged_in(client, an_operator(role=role))
    answer = client.post(f"/office/customers/{customer.id}/view")
    assert answer.status_code == 303
    return answer.location.removesuffix("/orders")


def pages_of(customer: User) -> list[str]:
    order, done = an_order(customer=customer), an_order(customer=customer, status=Status.PARTIAL)
    ticket = a_ticket(customer=customer)
    with transaction():
        asked = deposits.request_deposit(customer.id, amount_nanos=10**10, now=utc_now())
        reference = asked.reference
    orders = [f"/orders/{order.id}", f"/orders/{done.id}", f"/orders/{done.id}/receipt"]
    money = ["/balance", "/balance/statement", f"/balance/deposits/{reference}"]
    return ["/orders", *orders, *money, "/tickets", f"/tickets/{ticket.id}"]


def test_every_page_of_the_view_is_the_customers_without_a_way_to_change_anything(
    client: FlaskClient, customer: User
) -> None:
    pages = pages_of(customer)
    home = begun(client, customer)

    for page in pages:
        answer = client.get(home + page)

        assert answer.status_code == 200, page
        assert customer.email in answer.text
        assert "You can’t change anything here." in unescape(answer.text)
        assert SCRIPT_OR_FORM.search(answer.text) is None, page
        assert answer.headers["Cache-Control"] == "no-store"


def test_forms_of_the_view_keep_their_place_but_are_not_printed(client: FlaskClient, customer: User) -> None:
    an_order(customer=customer)
    home = begun(client, customer)

    page = client.get(f"{home}/orders").text

    assert '<fieldset disabled class="selection-bar no-print">' in page


def test_links_stay_in_the_view_or_lead_nowhere(client: FlaskClient, customer: User) -> None:
    order = an_order(customer=customer)
    home = begun(client, customer)

    page = client.get(f"{home}/orders").text

    local = set(re.findall(r'<a[^>]*\shref="(/[^"]*)"', page))
    assert f"{home}/orders/{order.id}" in local
    outside = {unescape(each) for each in local if not each.startswith(home)}
    assert not {each for each in outside if each.startswith(("/orders", "/balance", "/tickets", "/account", "/log"))}
    assert {each for each in outside if each.startswith("/office")} == {f"/office/customers/{customer.id}"}


def test_looking_is_logged_once_and_changes_nothing(client: FlaskClient, customer: User) -> None:
    pages = pages_of(customer)
    home = begun(client, customer)
    before = ledger_oracle.all_rows()

    for page in pages:
        client.get(home + page)

    assert ledger_oracle.all_rows() == before
    line = db.session.scalars(select(AuditLogEntry).where(AuditLogEntry.action == "customers see as")).one()
    assert (line.subject, line.actor.startswith("operator-")) == (f"customer {customer.id}", True)


def test_nothing_can_be_sent_through_the_view(client: FlaskClient, customer: User) -> None:
    order = an_order(customer=customer)
    home = begun(client, customer)

    answers = [
        client.post(f"{home}{page}").status_code
        for page in ("/orders", f"/orders/{order.id}/cancellation", "/tickets", "/log-out")
    ]

    assert answers == [405] * 4


def test_only_the_pages_of_the_list_are_shown(client: FlaskClient, customer: User) -> None:
    other = an_order(customer=a_customer("100"))
    home = begun(client, customer)

    for page in (
        "/account", "/account/keys", "/account/data.zip", "/orders.csv", "/orders/live", "/orders?live=pause",
        "/orders/new", "/balance/add", "/office", f"/orders/{other.id}", "/nothing",
    ):  # fmt: skip
        assert client.get(home + page).status_code == 404, page


def test_a_view_must_be_begun_in_this_browser_and_ends_after_half_an_hour(
    app: Flask, client: FlaskClient, customer: User
) -> None:
    home = begun(client, customer)
    other = a_customer("1")
    elsewhere = logged_in(app.test_client(), an_operator())
    back = f"/office/customers/{customer.id}"

    assert client.get(f"/office/customers/{other.id}/view/orders").location == f"/office/customers/{other.id}"
    assert elsewhere.get(f"{home}/orders").location == back
    with client.session_transaction() as session:
        session["customer_view"] = [customer.id, (utc_now() - timedelta(seconds=1)).isoformat()]
    assert client.get(f"{home}/orders").location == back


def test_neither_is_shown_a_page_that_was_made_for_the_other(app: Flask, client: FlaskClient, customer: User) -> None:
    an_order(customer=customer)
    browser = logged_in(app.test_client(), customer)
    first = browser.get("/orders").text
    home = begun(client, customer)

    seen = client.get(f"{home}/orders").text
    own_of_operator = client.get("/orders").text
    again = browser.get("/orders").text
    office = client.get("/office").text

    for page in (first, again):
        assert "You can’t change anything here." not in unescape(page) and "/view/" not in page and "<script" in page
    assert customer.email in seen and customer.email not in own_of_operator
    assert "operator-" in own_of_operator and "operator-" not in seen and customer.email not in office


def test_staff_and_closed_accounts_have_no_view(client: FlaskClient, customer: User) -> None:
    logged_in(client, an_operator())
    with transaction():
        db.session.get_one(User, customer.id).closed_at = utc_now()

    for user in (an_operator(role=Role.SUPPORT), customer):
        assert client.post(f"/office/customers/{user.id}/view").status_code == 404
        assert "See as this customer" not in client.get(f"/office/customers/{user.id}").text


def test_read_only_staff_and_customers_have_no_view(app: Flask, client: FlaskClient, customer: User) -> None:
    logged_in(client, an_operator(role=Role.READ_ONLY))
    stranger = logged_in(app.test_client(), a_customer("1"))
    path = f"/office/customers/{customer.id}/view"

    assert [client.post(path).status_code, client.get(f"{path}/orders").status_code] == [403, 403]
    assert [stranger.post(path).status_code, stranger.get(f"{path}/orders").status_code] == [404, 404]


def test_the_filters_of_a_list_work_in_the_view(client: FlaskClient, customer: User) -> None:
    an_order(customer=customer)
    home = begun(client, customer)

    page = client.get(f"{home}/orders?status=completed")

    assert page.status_code == 200
    assert f'action="{home}/orders"' in page.text


def test_a_page_without_a_bar_is_not_shown() -> None:
    with pytest.raises(ValueError, match="no place for the banner"):
        read_only_page.make("<html></html>", address_in_view=lambda address: address, banner="")  # type: ignore[arg-type]
