"""Deposits: one reference each, confirmed once, as one transfer."""

import re
import threading
from pathlib import Path

import pytest
from flask import Flask

from panel.db import db, transaction
from panel.domain import money
from panel.domain.errors import ActionRefused, BadMoney, NotFound
from panel.models import DepositRequest, Transfer
from panel.payments import manual
from panel.services.money import deposits, ledger
from tests.support.factories import NOON, a_customer


def a_request(customer_id: int, amount: str = "25") -> DepositRequest:
    with transaction():
        return deposits.request_deposit(customer_id, amount_nanos=money.parse_nanos(amount), now=NOON)


def confirm(reference: str, amount: str = "25") -> int:
    with transaction():
        return deposits.confirm(reference, amount_nanos=money.parse_nanos(amount), note="Arrived.", now=NOON)


@pytest.mark.both_engines
def test_request_has_a_reference_and_moves_no_money() -> None:
    customer = a_customer("0")

    request = a_request(customer.id)

    assert re.fullmatch(r"T-[2-9A-HJKMNP-TV-Z]{6}", request.reference)
    assert deposits.open_requests(customer.id) == [request]
    assert ledger.balance_nanos(customer.id) == 0


def test_same_amount_asked_for_again_is_the_same_request() -> None:
    customer = a_customer()

    assert a_request(customer.id).id == a_request(customer.id).id
    assert a_request(customer.id, "30").id != a_request(customer.id).id
    assert len(deposits.open_requests(customer.id)) == 2


@pytest.mark.both_engines
def test_confirmed_request_adds_what_arrived_once() -> None:
    customer = a_customer("0")
    request = a_request(customer.id)

    transfer_id = confirm(f" {request.reference.lower()} ", "24.50")

    assert ledger.balance_nanos(customer.id) == money.parse_nanos("24.50")
    assert deposits.open_requests(customer.id) == []
    assert deposits.references([transfer_id]) == {transfer_id: request.reference}
    assert db.session.get_one(Transfer, transfer_id).reason == f"deposit:top-up:{request.id}"
    with pytest.raises(ActionRefused, match="already confirmed"):
        confirm(request.reference)
    assert ledger.balance_nanos(customer.id) == money.parse_nanos("24.50")


@pytest.mark.both_engines
def test_eight_confirmations_at_once_add_the_money_once(app: Flask) -> None:
    customer = a_customer("0")
    customer_id, reference = customer.id, a_request(customer.id).reference
    answers = []

    def run() -> None:
        with app.app_context():
            try:
                answers.append(confirm(reference))
            except ActionRefused:
                answers.append(None)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    db.session.rollback()
    assert len([answer for answer in answers if answer is not None]) == 1
    assert answers.count(None) == 7
    assert ledger.balance_nanos(customer_id) == money.parse_nanos("25")


def test_unknown_reference_is_not_found() -> None:
    with pytest.raises(NotFound):
        confirm("T-222222")


@pytest.mark.parametrize("amount", ["0", "0.99", "10000.01", "12.345"])
def test_amount_out_of_bounds_is_refused(amount: str) -> None:
    customer = a_customer()

    with pytest.raises(BadMoney) as refused:
        a_request(customer.id, amount)

    assert refused.value.field == "amount"


@pytest.mark.parametrize("text", ["", "  ", "-5", "+5", "1e3", "5,00", "$5", "１００", "NaN", "9" * 30])
def test_invalid_amount_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(BadMoney) as refused:
        deposits.parse_amount(text)

    assert refused.value.field == "amount"


def test_eleventh_open_request_is_refused() -> None:
    customer = a_customer()
    for dollars in range(10, 20):
        a_request(customer.id, str(dollars))

    with pytest.raises(ActionRefused):
        a_request(customer.id, "99")


def test_payment_instructions_are_the_operators_own_words(tmp_path: Path) -> None:
    assert manual.paragraphs(manual.text_of_file(tmp_path)) == []

    (tmp_path / "payment.txt").write_text("Pay to\nBank 12\n\n\nName the reference.\n", encoding="utf-8")

    assert manual.paragraphs(manual.text_of_file(tmp_path)) == [["Pay to", "Bank 12"], ["Name the reference."]]


@pytest.mark.parametrize("amount", ["1.00", "10000.00"])
def test_amount_at_a_bound_may_be_asked_for_and_confirmed(amount: str) -> None:
    customer = a_customer("0")

    confirm(a_request(customer.id, amount).reference, amount)

    assert ledger.balance_nanos(customer.id) == money.parse_nanos(amount)


@pytest.mark.both_engines
def test_request_that_was_refused_is_decided_for_good() -> None:
    customer = a_customer("0")
    request = a_request(customer.id)
    with transaction():
        deposits.refuse(request.reference, reason="Nothing came.", now=NOON)

    with pytest.raises(ActionRefused, match="was refused"):
        confirm(request.reference)
    with pytest.raises(ActionRefused, match="was refused"), transaction():
        deposits.refuse(request.reference, reason="Again.", now=NOON)

    assert ledger.balance_nanos(customer.id) == 0


def test_lines_that_name_a_method_are_the_payment_methods(tmp_path: Path) -> None:
    (tmp_path / "payment.txt").write_text("# Bank transfer\nPay to\nBank 12\n\n# PayPal \n\nPay to x@example.com\n")

    found = manual.options(manual.text_of_file(tmp_path))

    assert [(option.key, option.label) for option in found] == [
        ("manual-bank-transfer", "Bank transfer"),
        ("manual-paypal", "PayPal"),
    ]
    assert [option.instructions for option in found] == [(("Pay to", "Bank 12"),), (("Pay to x@example.com",),)]
    assert manual.paragraphs(manual.text_of_file(tmp_path))[:2] == [["# Bank transfer"], ["Pay to", "Bank 12"]]
