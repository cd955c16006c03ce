"""What a gateway reports: credited once, taken back once, and what doesn't fit moves nothing and opens one review."""

import itertools
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain import money
from panel.domain.errors import ActionRefused, OrderingHeld
from panel.domain.payment import PaymentMethod, PaymentReport, PaymentReportKind, Via
from panel.models import AuditLogEntry, DepositRequest, Mail, PaymentEvent, Review, Transfer, User
from panel.payments.base import Checkout, GatewayEvent
from panel.services.money import audit, deposits, ledger
from panel.services.orders import placing
from panel.services.orders.placing import Placing
from panel.services.payments import checkouts, events, reversals
from tests.support import concurrently
from tests.support.factories import LINK, NOON, a_customer, a_tool
from tests.support.pretend_payments import work

CARD = PaymentMethod.STRIPE
PAID, REFUNDED, DISPUTED = PaymentReportKind.PAID, PaymentReportKind.REFUNDED, PaymentReportKind.DISPUTED
AMOUNT = money.parse_nanos("25")
_numbers = itertools.count(1)


def a_deposit(customer: User) -> str:
    with transaction():
        via = Via(CARD, is_live=True, account="acct_us")
        reference = deposits.request_deposit(customer.id, amount_nanos=AMOUNT, via=via, now=NOON).reference
        checkouts.opened(reference, Checkout(f"cs_{reference}", "https://pay.example/"), now=NOON)
    return reference


def a_report(deposit: str, kind: PaymentReportKind = PAID, **other: object) -> PaymentReport:
    """A report as a gateway makes it: a dispute names the payment alone."""
    ids = {"payment_id": f"pi_{deposit}"}
    if kind is not DISPUTED:
        ids["reference"] = deposit
    if kind not in (REFUNDED, DISPUTED):
        ids["checkout_id"] = f"cs_{deposit}"
    report = PaymentReport(kind, AMOUNT, "USD", is_live=True, account="acct_us", **ids)
    return replace(report, **other)


def receive(report: PaymentReport, *, event_id: str = "") -> None:
    event = GatewayEvent(event_id or f"evt_{next(_numbers)}", f"test.{report.kind}", report)
    with transaction():
        events.receive(CARD, event, raw="{}", now=NOON)


def transfers(customer_id: int) -> list[tuple[str, int]]:
    account = ledger.lock_accounts([customer_id])[customer_id]
    mine = (Transfer.from_account_id == account) | (Transfer.to_account_id == account)
    rows = db.session.execute(select(Transfer.reason, Transfer.amount_nanos).where(mine).order_by(Transfer.id))
    return [(reason, amount) for reason, amount in rows]


def reviews() -> list[str]:
    return list(db.session.scalars(select(Review.text).order_by(Review.id)))


def a_deposit_of(reference: str) -> DepositRequest:
    db.session.rollback()
    return db.session.scalars(select(DepositRequest).where(DepositRequest.reference == reference)).one()


@pytest.mark.both_engines
@pytest.mark.parametrize("seed", range(3))
def test_copies_of_a_paid_event_shuffled_with_its_refund_and_dispute(app: Flask, seed: int) -> None:
    customer = a_customer("0")
    customer_id, reference = customer.id, a_deposit(customer)
    kinds = [PAID] * 30 + [REFUNDED] * 10 + [DISPUTED] * 10
    random.Random(seed).shuffle(kinds)
    for number, kind in enumerate(kinds):
        receive(a_report(reference, kind), event_id=f"evt_{kind}_{number % 3}")

    concurrently.run_concurrently(app, [lambda: work(now=NOON)] * 4)
    work(now=NOON + timedelta(minutes=5))

    assert transfers(customer_id) == [
        (f"deposit:stripe:pi_{reference}", AMOUNT),
        (f"reversal:stripe:pi_{reference}:{AMOUNT}", AMOUNT),
    ]
    assert ledger.balance_nanos(customer_id) == 0
    assert reviews() == []
    assert audit.audit().is_sound


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"amount_nanos": AMOUNT - 10**7}, "Its amount is $24.99, and we asked for $25.00."),
        ({"amount_nanos": AMOUNT + 10**7}, "Its amount is $25.01, and we asked for $25.00."),
        ({"currency": "EUR"}, "Its currency is EUR, and we asked for USD."),
        ({"account": "acct_other"}, "another account"),
        ({"account": ""}, "another account"),
        ({"is_live": False}, "test mode, and we asked in live mode"),
        ({"payment_id": ""}, "It names no payment."),
        ({"checkout_id": "cs_other"}, "another payment page"),
        ({"reference": "", "checkout_id": "cs_unknown"}, "No deposit of ours belongs to it."),
        ({"reference": "T-OTHER"}, "It names the reference T-OTHER"),
    ],
)
def test_a_payment_that_does_not_fit_moves_nothing_and_opens_one_review(change: dict[str, object], why: str) -> None:
    customer = a_customer("0")
    report = a_report(a_deposit(customer), **change)
    for _ in range(3):
        receive(report)

    work(now=NOON)

    assert transfers(customer.id) == []
    (review,) = reviews()
    assert why in review and "No money was moved." in review


@pytest.mark.parametrize("change", [{"amount_nanos": AMOUNT + 1}, {"is_live": False}, {"currency": "EUR"}])
def test_a_refund_that_does_not_fit_takes_nothing(change: dict[str, object]) -> None:
    customer = a_customer("0")
    reference = a_deposit(customer)
    receive(a_report(reference))
    receive(a_report(reference, REFUNDED, **change))

    work(now=NOON)

    assert ledger.balance_nanos(customer.id) == AMOUNT
    assert len(reviews()) == 1


def test_a_payment_after_the_deposit_has_ended_is_late() -> None:
    customer = a_customer("0")
    reference = a_deposit(customer)
    receive(a_report(reference, PaymentReportKind.EXPIRED, payment_id=""))
    work(now=NOON)
    assert a_deposit_of(reference).refused_at == NOON

    receive(a_report(reference))
    work(now=NOON)

    assert transfers(customer.id) == []
    assert "It came late" in reviews()[0]


def test_an_expired_page_after_the_payment_changes_nothing() -> None:
    customer = a_customer("0")
    reference = a_deposit(customer)
    receive(a_report(reference))
    receive(a_report(reference, PaymentReportKind.EXPIRED, payment_id=""))

    work(now=NOON)

    assert ledger.balance_nanos(customer.id) == AMOUNT and a_deposit_of(reference).refused_at is None


def test_a_second_payment_for_a_deposit_is_reviewed() -> None:
    customer = a_customer("0")
    reference = a_deposit(customer)
    receive(a_report(reference))
    receive(a_report(reference, payment_id="pi_second"))

    work(now=NOON)

    assert ledger.balance_nanos(customer.id) == AMOUNT
    assert "paid by another payment already" in reviews()[0]


def test_partial_refunds_at_the_gateway_are_taken_from_the_balance_by_their_difference() -> None:
    customer = a_customer("0")
    reference = a_deposit(customer)
    receive(a_report(reference))
    for amount in ("5", "12", "5"):
        receive(a_report(reference, REFUNDED, amount_nanos=money.parse_nanos(amount)))

    work(now=NOON)

    assert ledger.balance_nanos(customer.id) == money.parse_nanos("13")
    receive(a_report(reference, DISPUTED))
    work(now=NOON)
    assert ledger.balance_nanos(customer.id) == 0
    assert reviews() == [] and audit.audit().is_sound


@pytest.mark.both_engines
def test_uncovered_reversal_holds_ordering_until_an_operator_releases_it() -> None:
    customer, other, tool = a_customer("0"), a_customer("10"), a_tool(price="10")
    reference = a_deposit(customer)
    receive(a_report(reference))
    work(now=NOON)
    asked = Placing(tool.slug, LINK, "1000", placing.new_request_id())
    with transaction():
        placing.place_order(customer.id, asked=asked, now=NOON)

    receive(a_report(reference, DISPUTED))
    work(now=NOON)

    deposit = a_deposit_of(reference)
    assert (deposit.reversed_nanos, deposit.owed_nanos) == (money.parse_nanos("15"), money.parse_nanos("10"))
    assert ledger.balance_nanos(customer.id) == 0
    assert len(reviews()) == 1 and "10.00 of it" in reviews()[0]
    with transaction():
        ledger.deposit(customer.id, amount_nanos=AMOUNT, reason="deposit:later", note="", now=NOON)
    receive(a_report(reference, DISPUTED))
    work(now=NOON)
    assert ledger.balance_nanos(customer.id) == AMOUNT and len(reviews()) == 1
    with transaction():
        placing.place_order(other.id, asked=replace(asked, request_id=placing.new_request_id()), now=NOON)
    again = replace(asked, request_id=placing.new_request_id())
    with pytest.raises(OrderingHeld), transaction():
        placing.place_order(customer.id, asked=again, now=NOON)

    with transaction():
        reversals.release(deposits.find(reference), reason="Paid by transfer.", actor="operator", now=NOON)
    with transaction():
        placing.place_order(customer.id, asked=again, now=NOON)

    assert db.session.scalars(select(AuditLogEntry.action)).all()[-1] == "deposits release ordering"
    with pytest.raises(ActionRefused), transaction():
        reversals.release(deposits.find(reference), reason="Again.", actor="operator", now=NOON)
    assert audit.audit().is_sound


def test_refund_that_arrives_before_its_payment_is_taken_back_with_the_credit() -> None:
    customer = a_customer("0")
    reference = a_deposit(customer)
    receive(a_report(reference, REFUNDED, amount_nanos=money.parse_nanos("5")))
    work(now=NOON)
    assert transfers(customer.id) == []

    receive(a_report(reference))
    work(now=NOON)

    assert ledger.balance_nanos(customer.id) == money.parse_nanos("20")


def test_event_is_worked_on_once() -> None:
    receive(a_report(a_deposit(a_customer("0"))))
    [event_id] = events.due(most=10, now=NOON)

    with transaction():
        assert events.work_on(event_id, now=NOON)
        assert not events.work_on(event_id, now=NOON)

    assert events.due(most=10, now=NOON + timedelta(days=1)) == []
    assert db.session.scalars(select(PaymentEvent.outcome)).one() == "25.00 credited."


def test_a_dispute_of_an_unknown_payment_waits_an_hour_and_is_reviewed_then() -> None:
    receive(a_report("T-NONE", DISPUTED))

    assert work(now=NOON) == 0 and reviews() == []
    assert work(now=NOON + timedelta(hours=2)) == 1

    assert "No deposit of ours belongs to it." in reviews()[0]


def test_a_won_dispute_is_left_to_an_operator() -> None:
    customer = a_customer("0")
    reference = a_deposit(customer)
    receive(a_report(reference))
    receive(a_report(reference, DISPUTED))
    receive(a_report(reference, PaymentReportKind.DISPUTE_WON))

    work(now=NOON)

    assert ledger.balance_nanos(customer.id) == 0 and "Credit the customer" in reviews()[0]


def test_customer_is_mailed_when_a_payment_is_taken_back() -> None:
    customer = a_customer("0")
    reference = a_deposit(customer)
    receive(a_report(reference))
    receive(a_report(reference, REFUNDED))

    work(now=NOON)

    mails = db.session.scalars(select(Mail.subject).where(Mail.user_id == customer.id).order_by(Mail.id)).all()
    assert mails == ["Your deposit of $25.00 is confirmed", f"Your payment {reference} was taken back"]


def test_an_operator_cannot_confirm_what_a_gateway_confirms() -> None:
    customer = a_customer("0")
    reference = a_deposit(customer)

    with pytest.raises(ActionRefused, match="paid through a gateway"), transaction():
        deposits.confirm(reference, amount_nanos=AMOUNT, note="Arrived.", now=NOON)

    assert deposits.waiting_deposits(after=None, most=10) == []


def test_bodies_of_old_events_are_blanked_and_their_ids_stay() -> None:
    customer = a_customer("0")
    report = a_report(a_deposit(customer))
    receive(report, event_id="evt_old")
    work(now=NOON)

    with transaction():
        assert events.purge(now=NOON + events.RAW_KEPT_FOR + timedelta(days=1)) == 1
        event = GatewayEvent("evt_old", "test", report)
        assert not events.receive(CARD, event, raw="{}", now=NOON)
