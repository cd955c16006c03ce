"""Fields of the order form, hidden ones included: each is validated strictly, and a refusal charges nothing."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from panel.db import db
from panel.domain.status import Status
from panel.models import Order, Transfer
from panel.services.money import ledger
from tests.support.factories import LINK, a_customer, a_tool, logged_in

FORM = {"tool": "page-visits", "link": LINK, "quantity": "1000", "request_id": "request-of-this-form"}


def _place(client: FlaskClient, **changes: str) -> TestResponse:
    return client.post("/orders", data=FORM | changes)


def _orders() -> int:
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def _transfers() -> int:
    return db.session.scalar(select(func.count()).select_from(Transfer)) or 0


WRONG_QUANTITIES = [
    "-1",
    "0",
    "",
    "1e3",
    "1.5",
    "1,00",
    "1.000",
    "1,000 000",
    "１００",
    "49",
    "2001",
    str(2**63),
    str(10**30),
    "9" * 5_000,
]


@pytest.mark.parametrize("path", ["/orders", "/orders/check"])
@pytest.mark.parametrize("quantity", WRONG_QUANTITIES)
def test_wrong_quantity_is_a_message_at_the_field_and_charges_nothing(
    client: FlaskClient, quantity: str, path: str
) -> None:
    a_tool("page-visits", minimum=50, maximum=2_000)
    customer = a_customer("10")

    answer = logged_in(client, customer).post(path, data=FORM | {"quantity": quantity})

    assert answer.status_code == 422
    assert 'id="quantity-error"' in answer.text
    assert f'value="{quantity}"' in answer.text
    assert (_orders(), _transfers(), ledger.balance_nanos(customer.id)) == (0, 1, 10_000_000_000)


@pytest.mark.parametrize("path", ["/orders", "/orders/check"])
@pytest.mark.parametrize("name", ["tool", "link", "quantity"])
def test_repeated_field_is_refused_at_the_field(client: FlaskClient, name: str, path: str) -> None:
    a_tool("page-visits")
    form = MultiDict([*FORM.items(), (name, FORM[name])])

    answer = logged_in(client, a_customer()).post(path, data=form)

    assert answer.status_code == 422
    assert f'id="{name}-error"' in answer.text
    assert _orders() == 0


@pytest.mark.parametrize("path", ["/orders", "/orders/check"])
@pytest.mark.parametrize("name", ["tool", "link", "quantity"])
def test_field_that_is_missing_is_refused_at_the_field(client: FlaskClient, name: str, path: str) -> None:
    a_tool("page-visits")
    form = {key: value for key, value in FORM.items() if key != name}

    answer = logged_in(client, a_customer()).post(path, data=form)

    assert answer.status_code == 422
    assert f'id="{name}-error"' in answer.text
    assert _orders() == 0


@pytest.mark.parametrize("hidden", [{"request_id": ""}, {"request_id": "short"}, {"request_id": "ä" * 20}])
@pytest.mark.parametrize("terms", [{}, {"terms": ""}, {"terms": "-1"}, {"terms": "1e9"}, {"terms": "9" * 40}])
def test_hidden_field_that_was_tampered_with_is_a_422(
    client: FlaskClient, hidden: dict[str, str], terms: dict[str, str]
) -> None:
    a_tool("page-visits")
    logged_in(client, a_customer())

    for change in (hidden | terms, hidden, terms or hidden):
        answer = _place(client, **change)
        assert answer.status_code == 422
        assert "Nothing was charged" in answer.text
    assert _orders() == 0


@pytest.mark.parametrize("slug", ["no-such-tool", "hidden-tool", "\x01", "x" * 3_000])
def test_tool_that_nobody_can_order_is_refused(client: FlaskClient, slug: str) -> None:
    a_tool("hidden-tool", is_hidden=True)
    a_tool("page-visits")

    answer = _place(logged_in(client, a_customer()), tool=slug)

    assert answer.status_code == 422
    assert 'id="tool-error"' in answer.text
    assert _orders() == 0


def test_all_errors_are_listed_together(client: FlaskClient) -> None:
    a_tool("page-visits")

    page = (
        logged_in(client, a_customer()).post("/orders/check", data=FORM | {"link": "ftp://x", "quantity": "1e3"}).text
    )

    assert 'id="link-error"' in page
    assert 'id="quantity-error"' in page
    assert f"It should look like {LINK}" in page
    assert 'value="ftp://x"' in page


def test_fields_that_the_form_does_not_have_are_not_read(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    other = a_customer("10")
    customer = a_customer("10")
    logged_in(client, customer)

    answer = _place(client, charge="0", charge_nanos="0", status="completed", user_id=str(other.id), price="0")

    order = db.session.scalars(select(Order)).one()
    assert answer.status_code == 303
    assert (order.customer_id, order.status, order.charge_nanos) == (customer.id, Status.PENDING, 900_000_000)
    assert ledger.balance_nanos(other.id) == 10_000_000_000


def test_hostile_link_stays_text(client: FlaskClient) -> None:
    a_tool("page-visits")

    page = logged_in(client, a_customer()).post("/orders/check", data=FORM | {"link": '"><script>x</script>'}).text

    assert "<script>x" not in page
    assert "&#34;&gt;&lt;script&gt;" in page
