"""Constraints of the orders table, for any client."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Account, Order
from tests.support.factories import a_customer, an_order

pytestmark = pytest.mark.both_engines


@pytest.mark.parametrize("status", Status)
def test_every_status_of_the_table_can_be_stored(status: Status) -> None:
    assert an_order(status=status).status == status


@pytest.mark.parametrize("word", ["", "Pending", "cancelled", "in-progress", "error", "unknown"])
def test_database_refuses_a_status_that_is_not_in_the_table(word: str) -> None:
    order = an_order()

    with pytest.raises(IntegrityError), transaction():
        db.session.execute(text("UPDATE orders SET status = :word"), {"word": word})

    assert db.session.get_one(Order, order.id).status == Status.PENDING


@pytest.mark.parametrize(
    "change",
    [
        "remains = -1",
        "remains = quantity + 1",
        "quantity = 0",
        "charge_nanos = charge_nanos + 1",
        "charge_nanos = charge_nanos - 1",
        "kept_nanos = -1",
        "returned_nanos = charge_nanos + 1",
        "kept_nanos = charge_nanos, returned_nanos = 1",
    ],
)
def test_database_refuses_counts_and_money_that_do_not_add_up(change: str) -> None:
    an_order()

    with pytest.raises(IntegrityError), transaction():
        db.session.execute(text(f"UPDATE orders SET {change}"))

    assert db.session.query(Order).one().remains == 1_000


def test_database_refuses_a_balance_below_zero() -> None:
    customer = a_customer("1.00")

    with pytest.raises(IntegrityError), transaction():
        db.session.query(Account).filter_by(user_id=customer.id).update({"balance_nanos": -1})

    assert db.session.query(Account).filter_by(user_id=customer.id).one().balance_nanos == 1_000_000_000
