"""Concurrent deposit requests: for the same amount, and while the account is being closed."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused
from panel.domain.money import NANOS_PER_UNIT
from panel.models import DepositRequest
from panel.services.money import deposits
from panel.services.privacy import closing
from tests.support.concurrently import start_in_thread
from tests.support.factories import NOON, a_customer

pytestmark = pytest.mark.both_engines


AMOUNT = 25 * NANOS_PER_UNIT


def ask(customer_id: int) -> Callable[[], str]:
    def request() -> str:
        with transaction():
            return deposits.request_deposit(customer_id, amount_nanos=AMOUNT, now=NOON).reference

    return request


def test_same_amount_asked_for_twice_at_once_is_one_request(app: Flask) -> None:
    customer_id = a_customer().id

    with transaction():
        first = deposits.request_deposit(customer_id, amount_nanos=AMOUNT, now=NOON).reference
        asked = start_in_thread(app, ask(customer_id))

    assert asked.result(10) == first


def test_no_request_to_add_money_is_made_while_its_account_is_closed(app: Flask) -> None:
    customer_id = a_customer("0").id

    with transaction():
        closing.close(customer_id, given_up_nanos=0, now=NOON)
        asked = start_in_thread(app, ask(customer_id))
    with pytest.raises(ActionRefused):
        asked.result(10)

    assert db.session.scalar(select(func.count()).select_from(DepositRequest)) == 0
