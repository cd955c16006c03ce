"""Deposits paid with the pretend card, and its events as they come to the endpoint."""

from datetime import datetime

from flask import Flask, current_app
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from panel.clock import utc_now
from panel.db import transaction
from panel.domain import money
from panel.domain.payment import PaymentMethod, Via
from panel.models import User
from panel.payments.base import Checkout
from panel.payments.pretend_card import CHECKOUT, SIGNATURE_HEADER, PretendCard
from panel.services.money import deposits
from panel.services.payments import checkouts, events, gateways
from tests.support.factories import NOON

ENDPOINT = "/payments/events/pretend_card"


def turn_on(app: Flask) -> PretendCard:
    """Turn the pretend card on for this app, before it asks for its gateways."""
    app.config["PANEL"].pretend_card = True
    gateway = gateways.available()[PaymentMethod.PRETEND_CARD]
    assert isinstance(gateway, PretendCard)
    return gateway


def a_deposit(customer: User, amount: str = "25") -> str:
    """An open deposit with a payment page; returns its reference."""
    with transaction():
        via = Via(PaymentMethod.PRETEND_CARD)
        deposit = deposits.request_deposit(customer.id, amount_nanos=money.parse_nanos(amount), via=via, now=NOON)
        reference = deposit.reference
    with transaction():
        checkouts.opened(reference, Checkout(f"{CHECKOUT}{reference}", "/pay"), now=NOON)
    return reference


def an_event(gateway: PretendCard, reference: str, amount: str = "25", *, is_paid: bool = True) -> tuple[bytes, str]:
    currency = current_app.config["PANEL"].currency
    return gateway.press(reference, is_paid=is_paid, amount_nanos=money.parse_nanos(amount), currency=currency)


def send(client: FlaskClient, body: bytes, signature: str) -> TestResponse:
    return client.post(ENDPOINT, data=body, headers={SIGNATURE_HEADER: signature}, content_type="application/json")


def work(*, now: datetime | None = None) -> int:
    """Work on all due events, as the sweep does; returns how many were done."""
    now = now or utc_now()
    due = events.due(most=1_000, now=now)
    count = 0
    for event_id in due:
        with transaction():
            count += events.work_on(event_id, now=now)
    return count
