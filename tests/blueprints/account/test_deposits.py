"""Adding funds: the form, the deposit's live page until it is confirmed or refused, and the link back to an order."""

import re
from datetime import timedelta

import pytest
from flask import current_app
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money
from panel.models import Mail, User
from panel.services.money import deposits, ledger, own_deposits
from panel.services.orders import placing, waiting_order
from panel.services.orders.waiting_order import WaitingOrder
from tests.support.factories import LINK, NOON, a_customer, a_tool, logged_in


def requested(customer: User, amount: str = "25.5") -> str:
    with transaction():
        deposit = deposits.request_deposit(customer.id, amount_nanos=money.parse_nanos(amount), now=NOON)
        return deposit.reference


def confirm(reference: str, amount: str) -> int:
    with transaction():
        return deposits.confirm(reference, amount_nanos=money.parse_nanos(amount), note="Arrived.", now=utc_now())


@pytest.mark.parametrize("amount", ["25.5", "25.50"])
def test_an_amount_leads_to_a_page_with_reference_and_instructions(client: FlaskClient, amount: str) -> None:
    customer = a_customer("0")
    (current_app.config["PANEL"].instance / "payment.txt").write_text("Transfer to <Bank 12>.")
    logged_in(client, customer)

    answer = client.post("/balance/add", data={"amount": amount})

    (deposit,) = deposits.open_requests(customer.id)
    assert (answer.status_code, answer.location) == (303, f"/balance/deposits/{deposit.reference}")
    page = client.get(answer.location).text
    assert f'data-copies="{deposit.reference}"' in page and "Put this reference in the payment note" in page
    assert re.search(r"Waiting for your payment of <data[^>]*>\$25\.50", page)
    assert "Transfer to &lt;Bank 12&gt;." in page
    assert f'href="/balance/deposits/{deposit.reference}"' in client.get("/balance/add").text
    assert ledger.balance_nanos(customer.id) == 0


def test_amounts_are_offered_as_buttons_that_need_no_script(client: FlaskClient) -> None:
    page = logged_in(client, a_customer("0")).get("/balance/add").text

    values = re.findall(r'<button class="button" data-kind="quiet" type="submit" name="amount" value="([^"]+)"', page)
    assert [money.parse_nanos(value) for value in values] == list(deposits.QUICK_AMOUNTS)


def test_without_instructions_the_page_says_so(client: FlaskClient) -> None:
    page = logged_in(client, a_customer("0")).get("/balance/add").text

    assert "No payment instructions are published yet." in page


@pytest.mark.parametrize("amount", ["", "0", "-5", "1e3", "0.5", "10000.01", "<b>", "5,5", "1.234"])
def test_bad_amount_is_a_sentence_beside_the_field(client: FlaskClient, amount: str) -> None:
    customer = a_customer("0")

    answer = logged_in(client, customer).post("/balance/add", data={"amount": amount, "customer_id": "1"})

    assert answer.status_code == 422
    assert 'id="amount-error"' in answer.text and f'value="{amount.replace("<b>", "&lt;b&gt;")}"' in answer.text
    assert deposits.open_requests(customer.id) == []


def test_deposits_of_someone_else_are_not_found(client: FlaskClient) -> None:
    reference = requested(a_customer("0"))
    logged_in(client, a_customer("0"))

    assert client.get(f"/balance/deposits/{reference}").status_code == 404
    assert client.get(f"/balance/deposits/{reference}/live").status_code == 404
    assert reference not in client.get("/balance/add").text


def test_the_page_changes_when_the_deposit_is_confirmed(client: FlaskClient) -> None:
    customer = a_customer("0")
    reference = requested(customer)
    logged_in(client, customer)
    page = client.get(f"/balance/deposits/{reference}").text
    tag = re.search(r'data-hx-get="([^"]+)".*data-hx-ptag="([^"]+)"', page)
    assert tag
    assert client.get(tag[1], headers={"HX-PTag": tag[2]}).status_code == 304

    line = confirm(reference, "20")

    answer = client.get(tag[1], headers={"HX-PTag": tag[2]})
    assert answer.status_code == 200 and answer.headers["HX-PTag"] != tag[2]
    assert re.search(r"\$20\.00</data> was added to your balance", answer.text)
    assert f">Line {line}</a>" in answer.text and "data-hx-get" not in answer.text
    assert 'data-balance-nanos="20000000000"' in answer.text


def test_a_refused_deposit_says_why(client: FlaskClient) -> None:
    customer = a_customer("0")
    reference = requested(customer)
    with transaction():
        deposits.refuse(reference, reason="Nothing came.", now=utc_now())

    page = logged_in(client, customer).get(f"/balance/deposits/{reference}").text

    assert "This deposit was refused. Nothing was added to your balance." in page
    assert "Nothing came." in page and 'href="/tickets/new"' in page
    assert "Nothing came." in client.get("/balance/add").text


def test_the_customer_gets_one_mail_however_it_ends() -> None:
    confirmed, refused = a_customer("0"), a_customer("0")
    confirm(requested(confirmed), "20")
    reference = requested(refused)
    with transaction():
        deposits.refuse(reference, reason="Nothing came.", now=utc_now())

    good, bad = (
        db.session.scalars(select(Mail).where(Mail.user_id == customer.id)).one() for customer in (confirmed, refused)
    )
    assert good.subject == "Your deposit of $20.00 is confirmed" and "now $20.00" in good.text
    assert bad.subject == f"Your deposit {reference} was refused" and "Reason: Nothing came." in bad.text


def test_the_waiting_order_is_kept_until_the_money_is_there(client: FlaskClient) -> None:
    customer = a_customer("0")
    tool = a_tool(price="2.40")
    kept = WaitingOrder(tool.slug, LINK, "1000", placing.new_request_id())
    back = waiting_order.path_of(kept, customer_id=customer.id, now=utc_now())
    logged_in(client, customer)

    page = client.get("/balance/add", query_string={"amount": "2.40", "next": back}).text
    assert "You need" in page and "Place your waiting order" not in page
    location = client.post("/balance/add", data={"amount": "2.40", "next": back}).location
    assert "Place your waiting order" not in client.get(location).text
    confirm(deposits.open_requests(customer.id)[0].reference, "2.40")

    page = client.get(location).text
    assert "Your balance covers it." in page
    link = re.search(r'href="(/orders/waiting[^"]+)">Place your waiting order', page)
    assert link and client.get(link[1].replace("&amp;", "&")).status_code == 200


@pytest.mark.parametrize("path", ["https://evil.example/orders/waiting?order=x", "/orders/waiting?order=x", "//x"])
def test_a_foreign_way_back_is_not_offered(client: FlaskClient, path: str) -> None:
    page = logged_in(client, a_customer("10")).get("/balance/add", query_string={"next": path}).text

    assert "waiting order" not in page


def test_time_to_confirmation_is_measured_over_real_deposits(client: FlaskClient) -> None:
    customer = a_customer("0")
    now = utc_now()
    assert own_deposits.time_to_confirmation(now=now) is None
    for number in range(20):
        with transaction():
            deposit = deposits.request_deposit(
                customer.id, amount_nanos=(number + 1) * deposits.MIN_NANOS, now=now - timedelta(minutes=number + 1)
            )
            deposits.confirm(deposit.reference, amount_nanos=deposits.MIN_NANOS, note="", now=now)

    measured = own_deposits.time_to_confirmation(now=now + timedelta(minutes=2))

    assert measured is not None
    assert (measured.median_seconds, measured.p90_seconds, measured.sample) == (600, 1080, 20)
