"""The endpoint for gateways' events: verified on the raw body, stored once, answered before anything is done."""

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.db import db
from panel.models import PaymentEvent, Review
from panel.services.money import ledger
from panel.services.payments import events
from tests.support import pretend_payments
from tests.support.factories import a_customer


def reviews() -> list[str]:
    return list(db.session.scalars(select(Review.text)))


def stored() -> int:
    return db.session.scalar(select(func.count()).select_from(PaymentEvent)) or 0


def test_an_event_is_stored_once_without_cookie_or_token_and_moves_nothing_yet(
    app: Flask, client: FlaskClient, csrf: None
) -> None:
    gateway, customer = pretend_payments.turn_on(app), a_customer("0")
    body, signature = pretend_payments.an_event(gateway, pretend_payments.a_deposit(customer))

    answers = [pretend_payments.send(client, body, signature) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert all("Set-Cookie" not in answer.headers for answer in answers)
    assert stored() == 1 and ledger.balance_nanos(customer.id) == 0
    assert pretend_payments.work() == 1
    assert ledger.balance_nanos(customer.id) == 25 * 10**9


def test_forged_events_are_refused_with_one_review(app: Flask, client: FlaskClient) -> None:
    gateway = pretend_payments.turn_on(app)
    body, signature = pretend_payments.an_event(gateway, pretend_payments.a_deposit(a_customer("0")))

    answers = [
        pretend_payments.send(client, body + b" ", signature),
        pretend_payments.send(client, body, "0" * 64),
        pretend_payments.send(client, body, ""),
        pretend_payments.send(client, b"\xff", "ü"),
    ]

    assert [answer.status_code for answer in answers] == [400] * 4
    assert stored() == 0 and len(reviews()) == 1


def test_too_large_an_event_and_an_unknown_gateway_are_refused(app: Flask, client: FlaskClient) -> None:
    pretend_payments.turn_on(app)

    assert pretend_payments.send(client, b"x" * (events.MAX_EVENT_BYTES + 1), "").status_code == 413
    assert client.post("/payments/events/manual", data=b"{}").status_code == 404
    assert client.post("/payments/events/nobody", data=b"{}").status_code == 404
    assert client.get(pretend_payments.ENDPOINT).status_code == 405
