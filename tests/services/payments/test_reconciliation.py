"""The gateway's list against the ledger: clean when both agree, red for everything that is missing on either side."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import payments
from panel.models import AuditLogEntry, DepositRequest, Review, Transfer
from panel.payments.base import ListedPayment
from panel.services.money import ledger
from panel.services.payments import reconciliation
from tests.flows.test_stripe_payments import AMOUNT, asked_for, send, stand_in, stripe, work  # noqa: F401
from tests.services.payments.test_settlement import CARD, PAID, REFUNDED, a_deposit, a_report, receive
from tests.services.payments.test_settlement import work as work_at
from tests.support.factories import NOON, a_customer
from tests.support.stripe_server import StripeServer

DAY = NOON.date()


def credited() -> tuple[str, ListedPayment]:
    """A deposit that is paid and credited, and its payment in the gateway's list."""
    reference = a_deposit(a_customer("0"))
    receive(a_report(reference))
    work_at(now=NOON)
    return reference, ListedPayment(a_report(reference, PAID), 0, False, NOON)


def differences(*listed: ListedPayment) -> tuple[str, ...]:
    db.session.rollback()
    return reconciliation.compare(CARD, DAY, listed).differences


@pytest.mark.both_engines
def test_a_day_on_which_both_agree_has_no_difference() -> None:
    listed = [credited()[1], credited()[1]]
    before = replace(credited()[1], at=NOON - timedelta(days=1))

    found = reconciliation.compare(CARD, DAY, [*listed, before])

    assert (found.payments, found.credits, found.differences) == (2, 3, ())


def test_a_payment_without_its_transfer_is_a_difference() -> None:
    _reference, listed = credited()
    missing = replace(listed, report=replace(listed.report, payment_id="pi_missing"))

    (difference,) = differences(listed, missing)

    assert "pi_missing of 25.00 USD is at the gateway, and nothing was credited" in difference


def test_a_transfer_that_the_gateway_does_not_know_is_a_difference() -> None:
    reference, _listed = credited()

    (difference,) = differences()

    assert f"credits the payment pi_{reference}, which the gateway doesn’t list" in difference


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"refunded_nanos": 10**9}, "has 1.00 refunded at the gateway, and 0.00 here"),
        ({"is_disputed": True}, "is disputed at the gateway, unlike here"),
    ],
)
def test_refund_at_the_gateway_alone_is_a_difference(change: dict[str, object], why: str) -> None:
    _reference, listed = credited()

    (difference,) = differences(replace(listed, **change))

    assert why in difference


def test_another_amount_and_a_missing_reversal_are_differences() -> None:
    reference, listed = credited()
    assert "credited 25.00" in differences(replace(listed, report=replace(listed.report, amount_nanos=AMOUNT + 1)))[0]
    receive(a_report(reference, REFUNDED))
    work_at(now=NOON)
    assert differences(replace(listed, refunded_nanos=AMOUNT)) == ()

    with transaction():
        db.session.execute(update(DepositRequest).values(reversed_nanos=0))

    assert "was not taken back as it should be" in differences(replace(listed, refunded_nanos=AMOUNT))[0]


def test_the_nightly_job_and_the_command_compare_with_stripes_list(
    app: Flask,
    stripe: StripeServer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, customer = app.test_client(), a_customer("0")
    reference, _address = asked_for(client, customer)
    send(client, stripe.event("checkout.session.completed", stripe.pay(reference)))
    work()
    tomorrow = (utc_now() + timedelta(days=1)).replace(hour=4)
    monkeypatch.setattr(payments, "utc_now", lambda: tomorrow)
    command = ["payments", "reconcile", "--day", str(utc_now().date())]

    assert payments.reconcile(worker="test") == payments.RECONCILED_DAYS
    assert payments.reconcile(worker="test") == 0
    assert db.session.scalars(select(Review.id)).all() == []
    assert "1 payments, 1 credits, 0 differences" in db.session.scalars(select(AuditLogEntry.detail)).all()
    clean = app.test_cli_runner().invoke(args=command)
    assert clean.exit_code == 0 and "1 payments, 1 credits, 0 differences" in clean.stdout

    # A payment at Stripe that nobody credited, and a credit that Stripe doesn't know.
    other, _address = asked_for(app.test_client(), a_customer("0"))
    stripe.pay(other)
    with transaction():
        reason = "deposit:stripe:pi_made_up"
        ledger.deposit(customer.id, amount_nanos=AMOUNT, reason=reason, note="", now=utc_now())
    red = app.test_cli_runner().invoke(args=[*command, "--json"])

    assert red.exit_code == 1
    assert "nothing was credited for it" in red.stdout and "pi_made_up" in red.stdout
    assert len(db.session.scalars(select(Transfer.id)).all()) == 2


def test_a_difference_at_night_opens_one_review_and_a_gateway_that_is_away_is_asked_again(
    app: Flask,
    stripe: StripeServer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reference, _address = asked_for(app.test_client(), a_customer("0"))
    stripe.pay(reference)
    tomorrow = (utc_now() + timedelta(days=1)).replace(hour=4)
    monkeypatch.setattr(payments, "utc_now", lambda: tomorrow.replace(hour=2))
    assert payments.reconcile(worker="test") == 0
    monkeypatch.setattr(payments, "utc_now", lambda: tomorrow)
    stripe.is_down = True
    assert payments.reconcile(worker="test") == 0
    away = app.test_cli_runner().invoke(args=["payments", "reconcile"])
    assert away.exit_code == 1 and "gave no list" in away.stderr

    stripe.is_down = False
    assert payments.reconcile(worker="test") == payments.RECONCILED_DAYS

    (review,) = db.session.scalars(select(Review.text)).all()
    assert "nothing was credited for it" in review


def test_without_a_gateway_there_is_nothing_to_compare(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["payments", "reconcile"])

    assert result.exit_code == 0 and "No payment gateway" in result.stderr
    assert payments.reconcile(worker="test") == 0
