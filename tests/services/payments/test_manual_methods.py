"""Manual payment methods, each with its own terms: shown, paid, confirmed with fee and bonus, and remembered."""

import csv
import io
import re
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from panel import app_context
from panel.db import db, transaction
from panel.domain import payment
from panel.domain.errors import ActionRefused, BadMoney
from panel.domain.payment import MethodTerms, PaymentMethod
from panel.models import DepositRequest, Mail, Transfer
from panel.services.money import audit, deposits, ledger
from panel.services.payments import methods
from panel.services.payments.methods import USUAL
from tests.support import ledger_oracle
from tests.support.concurrently import run_concurrently
from tests.support.factories import NOON, a_customer, an_operator, logged_in

UNIT = 10**9
CENT = 10**7
BANK, CRYPTO = "manual-bank-transfer", "manual-usdt"
TERMS = replace(USUAL, fee_basis_points=200, fee_nanos=50 * CENT, bonus_basis_points=1000, bonus_from_nanos=20 * UNIT)
TEXT = "Write to us first.\n\n# Bank transfer\nPay to Bank 12.\n\n# USDT\nSend to 0xabc."


@pytest.fixture(autouse=True)
def instructions(app: Flask) -> None:
    describe(TEXT)


def describe(text: str) -> None:
    (app_context.settings().instance / "payment.txt").write_text(text)


def change(key: str, terms: MethodTerms) -> None:
    with transaction():
        methods.change(key, terms, actor="operator", now=NOON)


def requested(customer_id: int, *, units: int = 50, key: str = BANK) -> str:
    with transaction():
        via = methods.via(key, amount_nanos=units * UNIT)
        return deposits.request_deposit(customer_id, amount_nanos=units * UNIT, via=via, now=NOON).reference


def confirm(reference: str, cents: int) -> int:
    with transaction():
        return deposits.confirm(reference, amount_nanos=cents * CENT, note="Payment 77", now=NOON)


@given(
    cents=st.integers(1, 1_000_000),
    more=st.integers(0, 200),
    points=st.integers(0, 5_000),
    fixed=st.integers(0, 1_000),
    unit=st.sampled_from([CENT, UNIT, UNIT // 1000]),
)
def test_a_payment_of_what_was_asked_gives_the_amount_and_another_one_is_never_more(
    cents: int, more: int, points: int, fixed: int, unit: int
) -> None:
    terms = replace(USUAL, fee_basis_points=points, fee_nanos=fixed * unit)
    amount = cents * CENT
    asked = amount + terms.fee(amount, unit_nanos=unit)

    exact = terms.of_payment(asked, unit_nanos=unit)
    other = terms.of_payment(asked + more * CENT, unit_nanos=unit)

    assert exact.amount_nanos >= amount and exact.amount_nanos + exact.fee_nanos == asked
    assert unit > CENT or exact.amount_nanos == amount
    assert other.amount_nanos >= exact.amount_nanos and other.amount_nanos + other.fee_nanos == asked + more * CENT
    assert not terms.has_fee or other.fee_nanos >= terms.fee(other.amount_nanos, unit_nanos=unit)


def test_each_method_shows_its_own_terms_and_instructions(client: FlaskClient) -> None:
    change(BANK, replace(TERMS, minimum_nanos=30 * UNIT))
    logged_in(client, a_customer("0"))

    bank, crypto = (client.get(f"/balance/add?method={key}").text for key in (BANK, CRYPTO))

    assert "2% and $0.50, on top of the amount" in bank and "10% from $20.00 on" in bank and "Minimum $30.00" in bank
    assert "Pay to Bank 12." in bank and "0xabc" not in bank and "Write to us first." in bank
    assert "<dt>Our fee</dt><dd>None</dd>" in crypto and "Minimum $1.00" in crypto and "Send to 0xabc." in crypto
    assert re.findall(r'href="/balance/add\?method=([a-z-]+)"', bank) == [BANK, CRYPTO]


def test_what_was_shown_is_asked_for_confirmed_and_shown_everywhere(client: FlaskClient) -> None:
    change(BANK, TERMS)
    customer = a_customer("0")
    logged_in(client, customer)
    address = client.post("/balance/add", data={"amount": "50", "method": BANK}).location
    page = client.get(address).text
    assert "$51.50" in page and "$5.00, added to your balance" in page and "Bank transfer" in page
    change(BANK, replace(USUAL, fee_basis_points=5_000))
    describe("# PayPal\nPay to x@example.com")
    assert "no longer published" in client.get(address).text and "$51.50" in client.get(address).text
    reference = address.rpartition("/")[2]

    operator = an_operator()
    logged_in(client, operator)
    form = {"amount": "51.50", "paid_as": "77"}
    office = client.get(f"/office/deposits/{reference}").text
    assert "Bank transfer" in office and 'value="51.50"' in office
    asked = client.post(f"/office/deposits/{reference}/confirmation", data=form).text
    assert "− <data" in asked and "Add $55.00" in asked
    hidden = dict(re.findall(r'name="(form_key|balance)" value="([^"]*)"', asked))
    answer = client.post(f"/office/deposits/{reference}/confirmation", data={**form, "confirmed": "yes", **hidden})
    assert answer.status_code == 303

    rows = db.session.execute(select(Transfer.amount_nanos, Transfer.reason, Transfer.note).order_by(Transfer.id)).all()
    assert [row[0] for row in rows] == [50 * UNIT, 5 * UNIT]
    assert rows[0][2] == "Payment 77 ($51.50 paid, $1.50 fee)" and rows[1][1].startswith("bonus:deposit:")
    mail = db.session.scalars(select(Mail.text).where(Mail.user_id == customer.id)).one()
    assert "You paid $51.50. Our fee was $1.50." in mail and "A bonus of $5.00" in mail and "Bank transfer" in mail
    (line,) = csv.DictReader(io.StringIO(client.get("/office/deposits.csv").text.removeprefix("\ufeff")))
    assert (line["method"], line["fee"], line["bonus"]) == ("Bank transfer", "1.50", "5.00")
    logged_in(client, customer)
    page = client.get(address).text
    assert "Bank transfer" in page and "$51.50" in page and "$1.50" in page
    assert "$1.50 fee" in client.get("/balance").text
    assert audit.audit().is_sound


def test_fee_and_bonus_follow_what_arrives() -> None:
    change(BANK, TERMS)
    customer = a_customer("0")
    less, more = requested(customer.id), requested(customer.id, units=19)

    confirm(less, 1_070)
    confirm(more, 5_150)

    # 10.70 covers 10.00 with its fee of 0.70, below where the bonus begins; 51.50 covers 50.00.
    assert ledger.balance_nanos(customer.id) == 10 * UNIT + 55 * UNIT
    kept = db.session.execute(select(DepositRequest.fee_nanos, DepositRequest.bonus_nanos)).all()
    assert kept == [(70 * CENT, 0), (150 * CENT, 5 * UNIT)]
    with pytest.raises(BadMoney):
        confirm(requested(customer.id), 50)
    assert audit.audit().is_sound


def test_a_bonus_that_no_transfer_paid_is_a_difference() -> None:
    change(BANK, TERMS)
    confirm(requested(a_customer("0").id), 5_150)

    with transaction():
        db.session.execute(update(DepositRequest).values(bonus_nanos=CENT))

    assert "says a bonus of" in audit.audit().differences[0]


@pytest.mark.both_engines
def test_confirmed_by_many_at_once_it_is_one_credit_and_one_bonus(app: Flask) -> None:
    change(BANK, TERMS)
    customer = a_customer("0")
    reference = requested(customer.id)

    answers = run_concurrently(app, [lambda: confirm(reference, 5_150)] * 6, expected=ActionRefused)

    assert sum(isinstance(answer, int) for answer in answers) == 1
    assert ledger.balance_nanos(customer.id) == 55 * UNIT
    assert audit.audit().is_sound
    ledger_oracle.assert_consistent()


def test_a_method_that_goes_off_meanwhile_says_so_and_keeps_the_form(client: FlaskClient) -> None:
    logged_in(client, a_customer("0"))
    change(BANK, replace(USUAL, is_on=False))

    answer = client.post("/balance/add", data={"amount": "12.34", "method": BANK})

    assert answer.status_code == 422 and "This payment method isn’t available." in answer.text
    assert 'value="12.34"' in answer.text and f'value="{CRYPTO}"' in answer.text
    change(CRYPTO, replace(USUAL, is_on=False))
    answer = client.post("/balance/add", data={"amount": "12.34", "method": CRYPTO})
    assert answer.status_code == 422 and "No payment method is available right now." in answer.text
    assert db.session.scalars(select(DepositRequest)).all() == []


def test_visitors_read_the_methods_that_are_on(client: FlaskClient) -> None:
    assert "Payment methods: Bank transfer, USDT." in client.get("/").text

    change(BANK, replace(USUAL, is_on=False))

    assert "Payment methods: USDT." in client.get("/").text
    assert "You can pay by: USDT." in client.get("/sign-up").text


def test_methods_without_terms_of_their_own_have_those_from_before_they_had_names() -> None:
    change(PaymentMethod.MANUAL, replace(USUAL, minimum_nanos=7 * UNIT))
    change(CRYPTO, replace(USUAL, minimum_nanos=9 * UNIT))

    assert [methods.terms_of(key).minimum_nanos // UNIT for key in (BANK, CRYPTO)] == [7, 9]


def test_a_deposit_from_before_the_methods_had_names_shows_all_instructions(client: FlaskClient) -> None:
    customer = a_customer("0")
    with transaction():
        reference = deposits.request_deposit(customer.id, amount_nanos=5 * UNIT, now=NOON).reference

    page = logged_in(client, customer).get(f"/balance/deposits/{reference}").text

    assert "<h3>Bank transfer</h3>" in page and "Send to 0xabc." in page


@pytest.mark.parametrize(
    ("one", "other"), [("Bank transfer", "bank  Transfer"), ("银行", " 银行"), ("PayPal (EU)", "PayPal EU")]
)
def test_spelling_does_not_make_another_method(one: str, other: str) -> None:
    assert payment.manual_key(one) == payment.manual_key(other)
    assert payment.manual_key("€") != payment.manual_key("$")
