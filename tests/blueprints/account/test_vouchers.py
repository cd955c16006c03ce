"""Redeeming a voucher in the browser, and making and withdrawing one in the office."""

import re

from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db
from panel.models import AuditLogEntry, Voucher
from panel.services.accounts import throttles
from panel.services.money import ledger
from panel.services.office import second_approval
from tests.services.payments.test_vouchers import TEN, made
from tests.support.factories import a_customer, an_operator, logged_in

FORM = {"amount": "10", "uses": "2", "codes": "3", "expires": "", "note": "Spring"}


def test_a_voucher_is_found_on_the_add_funds_page_and_redeemed(client: FlaskClient) -> None:
    customer = a_customer("0")
    logged_in(client, customer)
    assert "/balance/voucher" not in client.get("/balance/add").text
    (code,) = made()
    assert 'href="/balance/voucher"' in client.get("/balance/add").text

    answer = client.post("/balance/voucher", data={"code": code.lower()})

    assert (answer.status_code, answer.location) == (303, "/balance")
    page = client.get("/balance").text
    assert "$10.00 was added to your balance." in page and f"Voucher {code[:4]}" in page
    assert client.post("/balance/voucher", data={"code": code}).status_code == 422
    assert ledger.balance_nanos(customer.id) == TEN


def test_guesses_are_counted_and_then_refused_also_for_the_right_code(client: FlaskClient) -> None:
    customer = a_customer("0")
    logged_in(client, customer)
    (code,) = made()

    for _ in range(throttles.VOUCHERS_PER_ACCOUNT):
        assert client.post("/balance/voucher", data={"code": "AAAA-AAAA-AAAA-AAAA"}).status_code == 422
    answer = client.post("/balance/voucher", data={"code": code})

    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    assert ledger.balance_nanos(customer.id) == 0


def test_codes_are_made_in_the_office_shown_once_and_withdrawn(client: FlaskClient) -> None:
    logged_in(client, an_operator())
    key = second_approval.new_form_key()

    answer = client.post("/office/vouchers", data={**FORM, "form_key": key})

    codes = re.findall(r'class="id">([2-9A-Z]{4}(?:-[2-9A-Z]{4}){3})<', answer.text)
    assert answer.status_code == 200 and len(codes) == 3
    listed = client.get("/office/vouchers").text
    assert "0 of 2" in listed and "Spring" in listed and codes[0] not in listed
    again = client.post("/office/vouchers", data={**FORM, "form_key": key})
    assert again.status_code == 409 and "none were made again" in again.text

    voucher_id = db.session.scalars(select(Voucher.id).where(Voucher.starts_with == codes[0][:4])).first()
    assert client.post(f"/office/vouchers/{voucher_id}/revocation").status_code == 303
    assert client.post(f"/office/vouchers/{voucher_id}/revocation").status_code == 409
    assert client.post("/office/vouchers/999/revocation").status_code == 404
    assert db.session.scalars(select(AuditLogEntry.action).order_by(AuditLogEntry.id)).all() == [
        "vouchers make",
        "vouchers revoke",
    ]


def test_a_wrong_form_keeps_what_was_typed(client: FlaskClient) -> None:
    logged_in(client, an_operator())

    answer = client.post("/office/vouchers", data={**FORM, "expires": "tomorrow", "amount": "12.50"})

    assert answer.status_code == 422 and 'value="12.50"' in answer.text and 'id="expires-error"' in answer.text
    dear = client.post("/office/vouchers", data={**FORM, "uses": "1000"})
    assert dear.status_code == 409 and "flask vouchers make" in dear.text
    assert db.session.scalars(select(Voucher.id)).all() == []
