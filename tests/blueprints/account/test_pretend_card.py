"""Paying a deposit with the pretend card: from the choice of the method to the money on the balance."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.db import transaction
from panel.domain.payment import PaymentMethod, Via
from panel.jobs import payments
from panel.services.money import deposits, ledger
from panel.settings import InvalidSetting
from tests.support import databases, pretend_payments
from tests.support.factories import a_customer, logged_in

TWENTY_FIVE = 25 * 10**9


def pay_page(client: FlaskClient) -> tuple[str, str]:
    """Ask for 25 by pretend card; returns the deposit's address and that of its payment page."""
    answer = client.post("/balance/add", data={"amount": "25", "method": "pretend_card"})
    assert answer.status_code == 303
    link = re.search(r'href="([^"]+)">Pay \$25\.00 with the pretend card', client.get(answer.location).text)
    assert link
    return answer.location, link[1]


def test_a_deposit_is_chosen_paid_and_credited_once_by_the_job(app: Flask, client: FlaskClient) -> None:
    pretend_payments.turn_on(app)
    customer = a_customer("0")
    (app.config["PANEL"].instance / "payment.txt").write_text("# Bank transfer\nTo us.")
    logged_in(client, customer)
    form = client.get("/balance/add?amount=25").text
    assert 'name="method" value="pretend_card"' in form and "method=manual" in form

    address, page = pay_page(client)
    assert "Nothing is charged" in client.get(page).text or "nothing is charged" in client.get(page).text
    assert client.post(page, data={"outcome": "paid"}).location == address
    assert ledger.balance_nanos(customer.id) == 0, "the browser's return credits nothing"

    assert payments.work_on_events(worker="test") == 1
    assert payments.work_on_events(worker="test") == 0

    assert ledger.balance_nanos(customer.id) == TWENTY_FIVE
    assert "was added to your balance" in client.get(address).text
    assert client.get(page).status_code == 303


def test_a_declined_payment_ends_the_deposit_and_moves_nothing(app: Flask, client: FlaskClient) -> None:
    pretend_payments.turn_on(app)
    customer = a_customer("0")
    address, page = pay_page(logged_in(client, customer))

    client.post(page, data={"outcome": "declined"})
    payments.work_on_events(worker="test")

    assert "This deposit wasn’t paid." in client.get(address).text
    assert ledger.balance_nanos(customer.id) == 0


def test_without_the_setting_there_is_no_pretend_card(client: FlaskClient) -> None:
    customer = a_customer("0")
    logged_in(client, customer)
    with transaction():
        via = Via(PaymentMethod.PRETEND_CARD)
        reference = deposits.request_deposit(
            customer.id, amount_nanos=10**9, via=via, now=pretend_payments.NOON
        ).reference

    answer = client.post("/balance/add", data={"amount": "25", "method": "pretend_card"})

    assert answer.status_code == 422 and "This payment method isn’t available." in answer.text
    assert client.get(f"/balance/deposits/{reference}/pretend-card").status_code == 404
    assert client.post(pretend_payments.ENDPOINT, data=b"{}").status_code == 404


def test_someone_elses_payment_page_is_not_found(app: Flask, client: FlaskClient) -> None:
    pretend_payments.turn_on(app)
    reference = pretend_payments.a_deposit(a_customer("0"))
    logged_in(client, a_customer("0"))

    assert client.get(f"/balance/deposits/{reference}/pretend-card").status_code == 404
    assert client.post(f"/balance/deposits/{reference}/pretend-card", data={"outcome": "paid"}).status_code == 404


def test_production_refuses_the_pretend_card(app: Flask) -> None:
    with pytest.raises(InvalidSetting, match="PANEL_PRETEND_CARD"):
        databases.settings_for(
            app.config["PANEL"].instance,
            env="production",
            secret_key="x" * 32,
            base_url="https://panel.example",
            pretend_card=True,
        )
