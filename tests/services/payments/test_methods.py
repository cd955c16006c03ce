"""Terms of payment methods: limits, a fee on top, a bonus as an adjustment of its own, and reversals of both."""

from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from panel.db import db, transaction
from panel.domain import payment
from panel.domain.errors import BadInput, BadMoney
from panel.domain.payment import MethodTerms, PaymentMethod
from panel.models import AuditLogEntry, DepositRequest, Transfer
from panel.services.money import audit, deposits, ledger
from panel.services.payments import methods
from panel.services.payments.methods import USUAL
from tests.flows.test_stripe_payments import asked_for, send, stand_in, stripe, work  # noqa: F401
from tests.support.factories import NOON, a_customer, an_operator, logged_in
from tests.support.stripe_server import StripeServer

UNIT = 10**9
CENT = 10**7
CARD = PaymentMethod.STRIPE
TERMS = replace(USUAL, fee_basis_points=290, fee_nanos=30 * CENT, bonus_basis_points=1000, bonus_from_nanos=20 * UNIT)


def change(method: PaymentMethod, terms: MethodTerms) -> None:
    with transaction():
        methods.change(method, terms, actor="operator", now=NOON)


def test_the_fee_is_rounded_up_and_the_bonus_down_once() -> None:
    assert TERMS.fee(25 * UNIT, unit_nanos=CENT) == 103 * CENT  # 72.5 cents and 30
    assert TERMS.bonus(25 * UNIT + 9 * CENT, unit_nanos=CENT) == 250 * CENT
    assert TERMS.bonus(20 * UNIT - CENT, unit_nanos=CENT) == 0
    assert TERMS.bonus(20 * UNIT, unit_nanos=CENT) == 200 * CENT
    assert TERMS.fee(1000 * UNIT, unit_nanos=UNIT) == 29 * UNIT + 30 * CENT
    assert (USUAL.fee(UNIT, unit_nanos=CENT), USUAL.bonus(UNIT, unit_nanos=CENT)) == (0, 0)
    assert (TERMS.fee_percent, TERMS.bonus_percent, USUAL.fee_percent) == ("2.9", "10", "0")


@pytest.mark.parametrize(("back", "due"), [(0, 0), (26, 27), (13, 13.5), (100, 27)])
def test_the_share_that_is_taken_back_follows_what_was_paid(back: int, due: float) -> None:
    taken = payment.due_back(27 * UNIT, paid_nanos=26 * UNIT, refunded_nanos=back * UNIT, disputed_nanos=0)

    assert taken == round(due * UNIT)


def test_fee_and_bonus_are_shown_paid_credited_and_taken_back(
    client: FlaskClient,
    stripe: StripeServer,  # noqa: F811
) -> None:
    change(CARD, TERMS)
    customer = a_customer("0")
    logged_in(client, customer)
    form = client.get("/balance/add?method=stripe").text
    assert "2.9% and $0.30, on top of the amount" in form and "10% from $20.00 on" in form

    reference, address = asked_for(client, customer)
    page = client.get(address).text
    assert "Pay $26.03 by card" in page and "$1.03" in page and "$2.50, added to your balance" in page
    session = stripe.pay(reference)
    assert session["amount_total"] == 2603
    send(client, stripe.event("checkout.session.completed", session))
    work()

    assert ledger.balance_nanos(customer.id) == 2750 * CENT
    reasons = db.session.scalars(select(Transfer.reason).order_by(Transfer.id)).all()
    assert reasons[0].startswith("deposit:stripe:") and reasons[1].startswith("bonus:deposit:")
    send(client, stripe.event("charge.refunded", stripe.refund(session)))
    work()
    assert ledger.balance_nanos(customer.id) == 0
    assert audit.audit().is_sound
    with transaction():
        db.session.execute(update(DepositRequest).values(bonus_nanos=CENT))
    assert "says a bonus of" in audit.audit().differences[0]


def test_a_deposit_keeps_the_fee_it_was_requested_with(client: FlaskClient, stripe: StripeServer) -> None:  # noqa: F811
    change(CARD, TERMS)
    customer = a_customer("0")
    reference, address = asked_for(client, customer)

    change(CARD, USUAL)

    assert "Pay $26.03 by card" in client.get(address).text
    send(client, stripe.event("checkout.session.completed", stripe.pay(reference)))
    work()
    assert ledger.balance_nanos(customer.id) == 2750 * CENT


def test_limits_and_a_method_that_is_off_are_refused(client: FlaskClient, stripe: StripeServer) -> None:  # noqa: F811
    change(CARD, replace(USUAL, minimum_nanos=5 * UNIT, maximum_nanos=50 * UNIT))
    logged_in(client, a_customer("0"))

    for amount in ("4.99", "50.01"):
        answer = client.post("/balance/add", data={"amount": amount, "method": "stripe"})
        assert answer.status_code == 422 and "from $5.00 to $50.00" in answer.text
    assert 'value="100.00"' not in client.get("/balance/add?method=stripe").text
    change(CARD, replace(USUAL, is_on=False))
    assert client.post("/balance/add", data={"amount": "25", "method": "stripe"}).status_code == 422
    assert 'value="stripe"' not in client.get("/balance/add?method=stripe").text
    assert stripe.sessions == {}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"minimum_nanos": 0}, "minimum"),
        ({"minimum_nanos": 20 * UNIT, "maximum_nanos": 10 * UNIT}, "maximum"),
        ({"maximum_nanos": 10_001 * UNIT}, "maximum"),
        ({"fee_nanos": 1}, "fee"),
        ({"fee_basis_points": 5_001}, "fee_percent"),
        ({"bonus_basis_points": 5_001}, "bonus_percent"),
    ],
)
def test_wrong_terms_change_nothing_and_name_their_field(wrong: dict[str, int], field: str) -> None:
    with pytest.raises((BadInput, BadMoney)) as refused:
        change(CARD, replace(USUAL, **wrong))

    assert refused.value.field == field and methods.terms_of(CARD) == USUAL


def test_an_operator_sets_the_terms_in_the_office(app: Flask, client: FlaskClient) -> None:
    logged_in(client, an_operator())
    form = {"is_on": "yes", "minimum": "10", "maximum": "500", "fee_percent": "9"}

    assert client.post("/office/payment-methods/manual", data=form).status_code == 303
    assert methods.terms_of(PaymentMethod.MANUAL) == MethodTerms(True, 10 * UNIT, 500 * UNIT, fee_basis_points=900)
    assert "$500.00" in client.get("/office/payment-methods").text
    wrong = client.post("/office/payment-methods/manual", data={**form, "minimum": "ten"})
    assert wrong.status_code == 422 and 'id="minimum-error"' in wrong.text and 'value="ten"' in wrong.text
    assert client.get("/office/payment-methods/stripe").status_code == 404
    assert db.session.scalars(select(AuditLogEntry.action)).all() == ["payment methods change"]
    logged_in(client, a_customer("0"))
    assert client.post("/balance/add", data={"amount": "9"}).status_code == 422
    assert client.post("/balance/add", data={"amount": "10"}).status_code == 303
    assert deposits.MIN_NANOS < 9 * UNIT
