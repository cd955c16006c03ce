"""Hold on time rules in the office: the notice, the count and amount of what waits, and ending the hold."""

from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import timeouts
from panel.models import Order
from panel.services.orders import time_rules
from tests.support.browsing import post
from tests.support.factories import an_order

PAGE = "/office/time-rules"


def held_orders() -> list[int]:
    """Two orders whose timeout is due while time rules are on hold."""
    orders = [an_order(quantity=1_000, price="1.50", now=utc_now() - timedelta(days=3)).id for _ in range(2)]
    with transaction():
        time_rules.hold_for_clock("The clock was set forward by 2 days while the panel ran.", now=utc_now())
    timeouts.sweep(worker="here")
    return orders


def test_operator_sees_and_ends_a_hold(office: FlaskClient) -> None:
    orders = held_orders()

    home, page = office.get("/office").text, office.get(PAGE).text
    assert 'id="waiting-time-rules">2<' in home
    assert "set forward by 2 days" in page and "$3.00" in page
    assert "/office/time-rules" in office.get("/office/reviews/1").text

    assert post(office, f"{PAGE}/resumption", seen="2", reason="")[0] == 422
    assert post(office, f"{PAGE}/resumption", seen="2", reason="The clock is right")[0] == 303
    timeouts.sweep(worker="here")

    db.session.rollback()
    assert {db.session.get_one(Order, each).status for each in orders} == {Status.CANCELED}
    assert 'id="no-hold"' in office.get(PAGE).text
    assert 'id="clear-time-rules"' in office.get("/office").text


def test_command_shows_the_hold_and_ends_it(app: Flask) -> None:
    held_orders()
    run = app.test_cli_runner().invoke

    shown = run(args=["time-rules", "show"]).stdout
    assert "On hold since" in shown and "2 orders, which return $3.00" in shown
    assert run(args=["time-rules", "resume", "--reason", " "]).exit_code == 1
    assert run(args=["time-rules", "resume", "--reason", "The clock is right"]).exit_code == 0
    assert run(args=["time-rules", "show"]).stdout.startswith("Not on hold.")
