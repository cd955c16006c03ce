"""Bulk actions on selected orders: the check page, and exactly the changes that it announced."""

import csv
import io
import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Order, User
from panel.services.money import ledger
from tests.support.factories import LINK, NOON, a_customer, a_tool, an_order, logged_in, reload
from tests.support.ledger_oracle import assert_consistent


@pytest.fixture
def customer() -> User:
    return a_customer("1000")


@pytest.fixture
def client(client: FlaskClient, customer: User) -> FlaskClient:
    return logged_in(client, customer)


def send(client: FlaskClient, action: str, *orders: Order, step: str = "") -> str:
    form = {"action": action, "order": [str(order.id) for order in orders], "step": step}
    return client.post("/orders/selection", data=form, follow_redirects=True).text


def note_of(page: str, order: Order) -> str:
    """What the check page announces for the order."""
    row = page[page.index(f'<tr id="order-{order.id}">') :]
    return re.search(r'data-label="(?:What happens|Reason)">(.*?)</td>', row, re.S)[1].strip()  # type: ignore[index]


def test_check_page_says_what_happens_to_each_order_and_changes_nothing(client: FlaskClient, customer: User) -> None:
    fresh = an_order(customer=customer, quantity=1_000, price="0.90")
    handed_over = an_order(customer=customer, status=Status.IN_PROGRESS)
    ended = an_order(customer=customer, status=Status.COMPLETED)
    fixed = an_order(customer=customer, can_cancel=False)
    balance = ledger.balance_nanos(customer.id)

    page = send(client, "cancel", fresh, handed_over, ended, fixed)

    assert "canceled right away" in note_of(page, fresh) and 'value="0.90"' in note_of(page, fresh)
    assert "The provider is asked to stop it." in note_of(page, handed_over)
    assert note_of(page, ended) == "The order has ended as Completed."
    assert note_of(page, fixed) == "This tool does not offer cancellation."
    assert "Cancel 2 orders" in page
    assert [reload(each).status for each in (fresh, handed_over)] == ["pending", "in_progress"]
    assert ledger.balance_nanos(customer.id) == balance


@pytest.mark.both_engines
def test_bulk_cancel_names_a_reason_for_each_order_it_cannot_cancel(client: FlaskClient, customer: User) -> None:
    fresh, handed_over = an_order(customer=customer), an_order(customer=customer, status=Status.IN_PROGRESS)
    ended = an_order(customer=customer, status=Status.COMPLETED)

    page = send(client, "cancel", fresh, handed_over, ended, step="do")

    assert f"for 2 orders: {handed_over.id}, {fresh.id}." in page
    assert f"Nothing was changed for order {ended.id}. The order has ended as Completed." in page
    assert reload(fresh).status == Status.CANCELED
    assert "Cancellation requested" in page
    assert_consistent()


def test_refills_are_requested_once(client: FlaskClient, customer: User) -> None:
    at = utc_now() - timedelta(days=1)
    done = an_order(customer=customer, status=Status.COMPLETED, now=at)
    partial = an_order(customer=customer, status=Status.PARTIAL)

    checked = send(client, "refill", done, partial)
    first, second = (send(client, "refill", done, step="do") for _ in range(2))

    assert "There is no charge." in note_of(checked, done)
    assert "Refill is for orders that were Completed." in note_of(checked, partial)
    assert f"A refill is requested for order {done.id}." in first
    assert "A refill of this order is already running." in second
    assert reload(done).status == Status.REFILL


def test_order_again_fills_in_the_lines_and_names_unavailable_tools(client: FlaskClient, customer: User) -> None:
    tool, gone = a_tool("visits"), a_tool("gone-visits")
    partial = an_order(customer=customer, tool=tool, status=Status.PARTIAL, quantity=1_000, remains=360)
    old = an_order(customer=customer, tool=gone)
    with transaction():
        db.session.merge(gone).is_hidden = True

    page = send(client, "again", partial, old)
    written = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", page, re.S)[1]  # type: ignore[index]
    checked = client.post("/orders/mass", data={"lines": written, "request_id": "again-0001", "step": "check"})

    assert written.strip() == f"visits | {LINK} | 360"
    assert note_of(page, old) == "This tool is no longer offered."
    assert checked.status_code == 200


def test_csv_holds_the_selected_orders_alone(client: FlaskClient, customer: User) -> None:
    one, two = (an_order(customer=customer, now=NOON) for _ in range(2))
    an_order(customer=customer)

    rows = list(csv.DictReader(io.StringIO(send(client, "csv", one, two))))

    assert [int(row["order"]) for row in rows] == [two.id, one.id]
    assert {row["charged"] for row in rows} == {"0.90"}


@pytest.mark.parametrize("action", ["again", "refill", "cancel", "csv"])
@pytest.mark.parametrize("step", ["", "do"])
def test_someone_elses_order_is_neither_shown_nor_changed(client: FlaskClient, action: str, step: str) -> None:
    theirs = an_order(link="https://example.com/theirs-alone")
    with transaction():
        db.session.execute(update(Order).where(Order.id == theirs.id).values(link="https://example.com/theirs-alone"))

    page = send(client, action, theirs, step=step)

    assert "theirs-alone" not in page
    assert reload(theirs).status == Status.PENDING


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"action": "cancel"}, "Select at least one order first."),
        ({"action": "cancel", "order": ["0", "x", "9" * 30]}, "Select at least one order first."),
        ({"action": "burn", "order": ["1"]}, "Choose what to do with the selected orders."),
    ],
)
def test_form_without_orders_or_action_leads_back_to_the_list(
    client: FlaskClient, form: dict[str, object], words: str
) -> None:
    assert words in client.post("/orders/selection", data=form, follow_redirects=True).text


def test_selection_needs_the_forms_token(client: FlaskClient, customer: User, csrf: None) -> None:
    order = an_order(customer=customer)

    assert client.post("/orders/selection", data={"action": "cancel", "order": [order.id]}).status_code == 400
