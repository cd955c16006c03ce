"""Welcome page: the first three steps of a new customer, and which are done."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money
from panel.models import User
from panel.services.money import deposits
from tests.support.factories import a_customer, an_order, logged_in


def states(client: FlaskClient) -> list[str]:
    return re.findall(r'<li data-state="(\w+)">', client.get("/welcome").text)


@pytest.mark.both_engines
def test_each_step_says_how_far_it_is(client: FlaskClient) -> None:
    customer = a_customer("0")
    customer_id = customer.id
    with transaction():
        db.session.execute(update(User).where(User.id == customer_id).values(email_confirmed_at=None))
    logged_in(client, customer)
    new = states(client)

    with transaction():
        db.session.execute(update(User).where(User.id == customer_id).values(email_confirmed_at=utc_now()))
        request = deposits.request_deposit(customer_id, amount_nanos=money.parse_nanos("20"), now=utc_now())
        reference = request.reference
    waiting, page = states(client), client.get("/welcome").text
    with transaction():
        deposits.confirm(reference, amount_nanos=money.parse_nanos("20"), note="", now=utc_now())
    funded = states(client)
    an_order(customer=db.session.get_one(User, customer_id))

    assert new == ["open", "open", "open"]
    assert waiting == ["done", "waiting", "open"] and f"/balance/deposits/{reference}" in page
    assert funded == ["done", "done", "open"]
    assert states(client) == ["done", "done", "done"]
    assert "You’re all set" in client.get("/welcome").text


def test_empty_order_list_leads_to_the_first_steps_and_a_list_with_orders_does_not(client: FlaskClient) -> None:
    customer = a_customer("100")
    logged_in(client, customer)
    empty = client.get("/orders").text
    an_order(customer=customer)

    assert 'href="/welcome"' in empty
    assert 'href="/welcome"' not in client.get("/orders").text


def test_visitor_is_sent_to_log_in(client: FlaskClient) -> None:
    answer = client.get("/welcome")

    assert (answer.status_code, answer.location) == (303, "/log-in?next=/welcome")
