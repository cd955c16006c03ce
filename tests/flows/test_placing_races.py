"""Placing races over HTTP: the balance never goes below zero, and no form buys twice."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from panel.db import db
from panel.models import Order, User
from panel.services.money import audit, ledger
from tests.support.factories import LINK, a_customer, a_tool, logged_in

pytestmark = pytest.mark.both_engines

Form = dict[str, str]


def _form(number: int, *, quantity: int = 1_000) -> Form:
    return {"tool": "page-visits", "link": LINK, "quantity": str(quantity), "request_id": f"request-{number:04d}"}


def _all_at_once(app: Flask, customer: User, forms: list[Form]) -> list[TestResponse]:
    """Send each form from its own browser, in threads that start together."""
    browsers = [logged_in(app.test_client(), customer) for _ in forms]
    gate = Barrier(len(forms))

    def send(number: int) -> TestResponse:
        with app.app_context():
            gate.wait()
            return browsers[number].post("/orders", data=forms[number])

    with ThreadPoolExecutor(len(forms)) as threads:
        answers = list(threads.map(send, range(len(forms))))
    db.session.rollback()
    assert audit.audit().differences == ()
    return answers


def _count(make: Callable[[TestResponse], object], answers: list[TestResponse]) -> Counter[object]:
    return Counter(make(answer) for answer in answers)


def _orders() -> int:
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def test_balance_for_one_order_pays_for_one_of_sixty_four(app: Flask) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("0.90")

    answers = _all_at_once(app, customer, [_form(number) for number in range(64)])

    assert _count(lambda answer: answer.status_code, answers) == {303: 1, 422: 63}
    assert all("Not enough funds" in answer.text for answer in answers if answer.status_code == 422)
    assert (_orders(), ledger.balance_nanos(customer.id), ledger.held_nanos(customer.id)) == (1, 0, 900_000_000)


def test_one_form_sent_a_hundred_times_is_one_order_and_a_hundred_equal_answers(app: Flask) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("100")

    answers = _all_at_once(app, customer, [_form(1)] * 100)

    equal = _count(lambda answer: (answer.status_code, answer.location, answer.text), answers)
    assert list(equal.values()) == [100]
    assert answers[0].status_code == 303
    assert (_orders(), ledger.balance_nanos(customer.id)) == (1, 99_100_000_000)


def test_one_form_with_two_quantities_is_one_order_and_a_409(app: Flask) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("100")

    answers = _all_at_once(app, customer, [_form(1, quantity=1_000 + number) for number in range(8)])

    assert _count(lambda answer: answer.status_code, answers) == {303: 1, 409: 7}
    assert _orders() == 1
