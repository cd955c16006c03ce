"""Deposits by card through Stripe's library: credited once whatever comes in which order, and taken back once."""

import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from panel.application import create_app
from panel.db import db, transaction
from panel.jobs import payments
from panel.models import DepositRequest, PaymentEvent, Review, Transfer, User
from panel.services.money import audit, ledger
from tests.support import concurrently, databases, warm_python
from tests.support.factories import NOON, a_customer, logged_in
from tests.support.stripe_server import KEY, WEBHOOK_SECRET, StripeServer, stripe_server

ENDPOINT = "/payments/events/stripe"
AMOUNT = 25 * 10**9


@pytest.fixture(scope="module")
def stand_in() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


@pytest.fixture
def stripe(app: Flask, stand_in: StripeServer) -> StripeServer:
    """The stand-in, empty again, with the app's keys set to it."""
    stand_in.__init__(stand_in.url)
    settings = app.config["PANEL"]
    settings.stripe_secret_key, settings.stripe_webhook_secret = KEY, WEBHOOK_SECRET
    settings.stripe_url = stand_in.url
    return stand_in


def asked_for(client: FlaskClient, customer: User) -> tuple[str, str]:
    """Ask for 25 by card; returns the deposit's reference and the address of its page."""
    answer = logged_in(client, customer).post("/balance/add", data={"amount": "25", "method": "stripe"})
    assert answer.status_code == 303
    return answer.location.rpartition("/")[2], answer.location


def send(client: FlaskClient, signed: tuple[bytes, str]) -> int:
    headers = {"Stripe-Signature": signed[1]}
    return client.post(ENDPOINT, data=signed[0], headers=headers, content_type="application/json").status_code


def work() -> int:
    return payments.work_on_events(worker="test")


def reasons() -> list[str]:
    db.session.rollback()
    found = select(Transfer.reason).where(Transfer.reason.like("%stripe%")).order_by(Transfer.id)
    return list(db.session.scalars(found))


def reviews() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Review.text)))


def test_a_deposit_is_paid_on_stripes_page_and_credited_by_its_event(client: FlaskClient, stripe: StripeServer) -> None:
    customer = a_customer("0")
    reference, address = asked_for(client, customer)
    link = re.search(r'href="([^"]+)">Pay \$25\.00 by card', client.get(address).text)
    assert link and link[1].startswith("https://checkout.stripe.com/")

    session = stripe.pay(reference)
    assert "Waiting for your payment" in client.get(session["success_url"].removeprefix("http://127.0.0.1:8000")).text
    assert work() == 0 and ledger.balance_nanos(customer.id) == 0

    assert send(client, stripe.event("checkout.session.completed", session)) == 200
    assert work() == 1

    assert ledger.balance_nanos(customer.id) == AMOUNT
    assert reasons() == [f"deposit:stripe:{session['payment_intent']}"]
    assert "was added to your balance" in client.get(address).text


def test_a_page_that_could_not_be_made_is_tried_again(client: FlaskClient, stripe: StripeServer) -> None:
    stripe.is_down = True
    reference, address = asked_for(client, a_customer("0"))
    assert "The payment page couldn’t be opened." in client.get(address).text

    stripe.is_down = False
    again = client.post("/balance/add", data={"amount": "25.00", "method": "stripe"})

    assert again.location == address and "by card" in client.get(address).text
    assert [each["client_reference_id"] for each in stripe.sessions.values()] == [reference]


def test_a_payment_whose_event_was_lost_is_found_by_asking(client: FlaskClient, stripe: StripeServer) -> None:
    customer = a_customer("0")
    reference, _address = asked_for(client, customer)
    session = stripe.pay(reference)
    with transaction():
        db.session.execute(update(DepositRequest).values(look_up_at=NOON))

    assert payments.look_up(worker="test") == 1
    assert payments.look_up(worker="test") == 0
    send(client, stripe.event("checkout.session.completed", session))
    work()

    assert reasons() == [f"deposit:stripe:{session['payment_intent']}"]
    assert ledger.balance_nanos(customer.id) == AMOUNT and reviews() == []


@pytest.mark.both_engines
@pytest.mark.parametrize("returns_first", [True, False])
def test_fifty_copies_shuffled_with_refund_and_dispute(
    app: Flask, client: FlaskClient, stripe: StripeServer, returns_first: bool
) -> None:
    customer = a_customer("0")
    customer_id = customer.id
    reference, address = asked_for(client, customer)
    session = stripe.pay(reference)
    paid = stripe.event("checkout.session.completed", session)
    others = [
        stripe.event("charge.refunded", stripe.refund(session)),
        stripe.event("charge.dispute.created", stripe.dispute(session)),
    ]
    copies = [paid] * 50 + others * 5
    random.Random(returns_first).shuffle(copies)
    if returns_first:
        client.get(address)

    def gateway(part: list[tuple[bytes, str]]) -> Callable[[], object]:
        def run() -> list[int]:
            sender = app.test_client()
            return [send(sender, signed) for signed in part for _ in [work()]]

        return run

    statuses = concurrently.run_concurrently(app, [gateway(copies[start::4]) for start in range(4)])
    client.get(address)
    with transaction():
        db.session.execute(update(PaymentEvent).where(PaymentEvent.due_at.is_not(None)).values(due_at=NOON))
    work()

    assert {status for each in statuses for status in each} == {200}
    payment = session["payment_intent"]
    assert reasons() == [f"deposit:stripe:{payment}", f"reversal:stripe:{payment}:{AMOUNT}"]
    assert ledger.balance_nanos(customer_id) == 0 and reviews() == []
    assert audit.audit().is_sound


def work_in_a_process(instance: Path, database_url: str) -> None:
    """In a separate process: work on every due event, as a second worker does."""
    app = create_app(databases.settings_for(instance, database_url=database_url))
    with app.app_context():
        while work():
            pass
    databases.close(app)


@pytest.mark.both_engines
def test_two_processes_credit_and_take_back_once(
    app: Flask, client: FlaskClient, stripe: StripeServer, database_url: str
) -> None:
    customer_ids = []
    for _ in range(4):
        customer = a_customer("0")
        customer_ids.append(customer.id)
        reference, _address = asked_for(app.test_client(), customer)
        session = stripe.pay(reference)
        refund = stripe.refund(session, 1000)
        # Three events of each kind with ids of their own, as if Stripe had sent it three times.
        for kind, about in (("charge.refunded", refund), ("checkout.session.completed", session)) * 3:
            assert send(client, stripe.event(kind, about)) == 200
    db.session.rollback()

    given = (app.config["PANEL"].instance, database_url)
    workers = [warm_python.context().Process(target=work_in_a_process, args=given) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(reasons()) == 8 and reviews() == []
    assert {ledger.balance_nanos(customer_id) for customer_id in customer_ids} == {15 * 10**9}
    assert audit.audit().is_sound


@pytest.mark.parametrize(
    ("change", "of_event", "why"),
    [
        ({"amount_total": 2499}, {}, "Its amount is $24.99"),
        ({"currency": "eur"}, {}, "Its currency is EUR"),
        ({}, {"account": "acct_other"}, "another account"),
        ({"client_reference_id": "T-OTHER"}, {}, "T-OTHER"),
        ({"id": "cs_other", "client_reference_id": ""}, {}, "No deposit of ours"),
    ],
)
def test_an_event_that_does_not_fit_moves_nothing_and_opens_one_review(
    client: FlaskClient, stripe: StripeServer, change: dict[str, object], of_event: dict[str, object], why: str
) -> None:
    reference, _address = asked_for(client, a_customer("0"))
    session = {**stripe.pay(reference), **change}

    for _ in range(2):
        assert send(client, stripe.event("checkout.session.completed", session, **of_event)) == 200
        work()

    assert reasons() == []
    (review,) = reviews()
    assert why in review


def test_a_test_event_in_live_mode_moves_nothing_and_opens_one_review(
    app: Flask, client: FlaskClient, stripe: StripeServer
) -> None:
    reference, _address = asked_for(client, a_customer("0"))
    with transaction():
        db.session.execute(update(DepositRequest).values(is_live=True))

    send(client, stripe.event("checkout.session.completed", stripe.pay(reference)))
    work()

    assert reasons() == []
    (review,) = reviews()
    assert "test mode, and we asked in live mode" in review


def test_forged_and_old_events_move_nothing_and_open_one_review(client: FlaskClient, stripe: StripeServer) -> None:
    reference, _address = asked_for(client, a_customer("0"))
    session = stripe.pay(reference)
    body, header = stripe.event("checkout.session.completed", session)

    statuses = [
        send(client, (body.replace(b"2500", b"9900"), header)),
        send(client, (body, header.replace("v1=", "v1=0"))),
        send(client, stripe.event("checkout.session.completed", session, at=time.time() - 310)),
    ]

    assert statuses == [400] * 3 and work() == 0
    assert reasons() == [] and len(reviews()) == 1
