"""Commands: machine-readable values on standard output, messages on standard error, refusals with exit code 1."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.money import NANO_DIGITS
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import Order, Review, Transfer, User
from panel.services import reviews
from panel.services.accounts import users
from panel.services.money import ledger
from tests.support.factories import NOON, a_customer, a_tool, an_order

NANOS = 10**NANO_DIGITS


def flask(app: Flask, *words: str, standard_input: str = "") -> Any:
    result = app.test_cli_runner().invoke(args=list(words), input=standard_input)
    db.session.rollback()
    return result


def test_user_is_added_with_the_given_password(app: Flask) -> None:
    typed = "seven green lanterns\n"

    done = flask(app, "users", "add", "New@Example.com", "--operator", "--password-stdin", standard_input=typed)

    user = db.session.scalars(select(User)).one()
    assert (done.exit_code, done.stdout) == (0, f"{user.id}\n")
    assert (user.email, user.is_staff) == ("new@example.com", True)
    assert users.is_password("seven green lanterns", user.password_hash)


def test_generated_password_is_printed_to_standard_error(app: Flask) -> None:
    done = flask(app, "users", "add", "new@example.com")

    user = db.session.scalars(select(User)).one()
    assert done.stdout == f"{user.id}\n"
    assert users.is_password(done.stderr.split()[-1], user.password_hash)


@pytest.mark.parametrize("email", ["taken@example.com", "no-address"])
def test_user_that_cannot_be_added_is_refused(app: Flask, email: str) -> None:
    a_customer(email="taken@example.com")

    done = flask(app, "users", "add", email)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")


def test_balance_is_added(app: Flask) -> None:
    customer = a_customer(balance="1.00")

    done = flask(app, "balance", "add", customer.email, "2.5", "--note", "Bank transfer")

    assert ledger.balance_nanos(customer.id) == 3 * NANOS + NANOS // 2
    newest = db.session.scalars(select(Transfer).order_by(Transfer.id.desc())).first()
    assert newest is not None
    assert (done.exit_code, done.stdout, newest.note) == (0, f"{newest.id}\n", "Bank transfer")


@pytest.mark.parametrize("amount", ["0", "-1", "1e3", "ten", ""])
def test_amount_that_is_none_adds_nothing(app: Flask, amount: str) -> None:
    customer = a_customer(balance="1.00")

    done = flask(app, "balance", "add", "--note", "x", "--", customer.email, amount)

    assert (done.exit_code, done.stdout) == (1, "")
    assert ledger.balance_nanos(customer.id) == NANOS


def test_order_of_a_provider_cannot_be_set_by_hand(app: Flask) -> None:
    order = an_order(tool=a_tool(provider="simulated"))

    done = flask(app, "orders", "set", str(order.id), "--status", "completed", "--remains", "0")

    assert (done.exit_code, done.stdout) == (1, "")
    assert db.session.get_one(Order, order.id).status == Status.PENDING


def test_audit_of_a_consistent_ledger_says_so(app: Flask) -> None:
    an_order()

    done = flask(app, "audit", "--json")

    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["sound"], found["orders"], found["differences"]) == (True, 1, [])


def test_export_is_one_object_a_line(app: Flask) -> None:
    order = an_order()

    rows = [json.loads(line) for line in flask(app, "export").stdout.splitlines()]

    assert {row["kind"] for row in rows} == {"account", "order", "transfer", "event"}
    exported = next(row for row in rows if row["kind"] == "order")
    assert (exported["id"], exported["charge_nanos"]) == (order.id, order.charge_nanos)
    assert not any("password" in name or "key" in name for row in rows for name in row)


def test_reviews_are_listed_while_they_are_open(app: Flask) -> None:
    order = an_order()
    with transaction():
        reviews.open_review(ReviewKind.REPORT, order_id=order.id, text="It said -5.", now=NOON)
    review = db.session.scalars(select(Review)).one()

    listed = flask(app, "reviews", "list")

    assert listed.stdout == f"{review.id}\treport\t{order.id}\tIt said -5.\n"


def test_each_sweep_runs_once_in_the_foreground(app: Flask) -> None:
    order = an_order(tool=a_tool(provider="simulated"))

    done = flask(app, "worker", "--once")

    assert done.exit_code == 0
    assert db.session.get_one(Order, order.id).provider_order_id is not None
