"""Daily spend caps of API keys: exact, per UTC day, and never exceeded by concurrent calls; on both engines."""

from datetime import datetime, timedelta
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.errors import BadInput, InsufficientBalance, SpendCapReached
from panel.domain.money import parse_nanos
from panel.models import ApiKey, Order, User
from panel.services.api import keys as api_keys
from panel.services.api import orders as api_orders
from panel.services.api import spend_caps
from panel.services.catalogue import tools
from panel.services.money import ledger
from tests.support.api_clients import a_key
from tests.support.concurrently import run_concurrently
from tests.support.factories import LINK, NOON, a_customer, a_tool

pytestmark = pytest.mark.both_engines

# 100 units at $0.90 per thousand.
CHARGE = parse_nanos("0.09")


def place(key: str, tool_id: int, *, quantity: str = "100", request_id: str | None = None, now: datetime = NOON) -> int:
    """Place an order with this key, as `add` does."""
    holder = api_keys.find(key, address=None)
    offer = tools.offer(tool_id)
    assert holder is not None
    assert offer is not None
    with transaction():
        placed = api_orders.place(
            holder, offer=offer, link=LINK, quantity=quantity, fields={}, request_id=request_id, now=now
        )
    return placed.order_id


def spent(*, now: datetime = NOON) -> int:
    db.session.rollback()
    return spend_caps.spent_today(db.session.scalars(select(ApiKey)).one(), now=now)


def test_orders_count_to_the_cap_and_not_beyond(app: Flask) -> None:
    customer, tool = a_customer("10.00"), a_tool().id
    key = a_key(customer, daily_cap_nanos=2 * CHARGE)
    place(key, tool)
    place(key, tool)

    with pytest.raises(SpendCapReached):
        place(key, tool, quantity="10")

    assert spent() == 2 * CHARGE
    assert balance_of(customer) == parse_nanos("10.00") - 2 * CHARGE


def test_caps_of_two_keys_of_one_customer_are_apart(app: Flask) -> None:
    customer, tool = a_customer("10.00"), a_tool().id
    first, second = (a_key(customer, name=name, daily_cap_nanos=2 * CHARGE) for name in ("One", "Two"))
    place(first, tool)

    place(second, tool)
    place(second, tool)

    db.session.rollback()
    spent_nanos = [
        spend_caps.spent_today(key, now=NOON) for key in db.session.scalars(select(ApiKey).order_by(ApiKey.id))
    ]
    assert spent_nanos == [CHARGE, 2 * CHARGE]


def test_cap_begins_again_with_the_utc_day(app: Flask) -> None:
    tool = a_tool().id
    key = a_key(a_customer("10.00"), daily_cap_nanos=CHARGE)
    midnight = NOON.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    place(key, tool, now=midnight - timedelta(microseconds=1))

    place(key, tool, now=midnight)

    assert spent(now=midnight) == CHARGE
    assert spent(now=midnight + timedelta(days=1)) == 0


def test_cap_of_zero_is_refused_and_no_cap_is_none() -> None:
    assert (spend_caps.parse(" "), spend_caps.parse("0.000000001")) == (None, 1)
    for text in ("0", "-1", "one"):
        with pytest.raises(BadInput) as error:
            spend_caps.parse(text)
        assert error.value.field == "daily_cap"


def test_repeated_request_counts_once(app: Flask) -> None:
    tool = a_tool().id
    key = a_key(a_customer("10.00"), daily_cap_nanos=CHARGE)

    numbers = {place(key, tool, request_id="order-1") for _ in range(3)}

    assert len(numbers) == 1
    assert spent() == CHARGE


def test_refused_order_counts_nothing(app: Flask) -> None:
    tool = a_tool().id
    key = a_key(a_customer("0.01"), daily_cap_nanos=parse_nanos("5"))

    with pytest.raises(InsufficientBalance):
        place(key, tool)

    assert spent() == 0


def test_key_without_a_cap_is_bounded_by_the_balance_alone(app: Flask) -> None:
    tool = a_tool().id
    key = a_key(a_customer("1.00"))

    for _ in range(11):
        place(key, tool)

    with pytest.raises(InsufficientBalance):
        place(key, tool)
    assert spent() == 0


def test_concurrent_calls_never_exceed_the_cap(app: Flask) -> None:
    customer, tool = a_customer("10.00"), a_tool().id
    key = a_key(customer, daily_cap_nanos=3 * CHARGE)

    outcomes = run_concurrently(app, [partial(place, key, tool)] * 8, expected=SpendCapReached)

    assert sum(isinstance(outcome, int) for outcome in outcomes) == 3
    assert spent() == 3 * CHARGE
    assert db.session.scalar(select(func.count()).select_from(Order)) == 3
    assert balance_of(customer) == parse_nanos("10.00") - 3 * CHARGE


def balance_of(customer: User) -> int:
    db.session.rollback()
    return ledger.balance_nanos(customer.id)
