"""Ticket races: one form opens one ticket, and of two operators who reply concurrently, one is refused."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.errors import PanelError, StaleForm, TooManyTries
from panel.models import Ticket, TicketEntry
from panel.services.tickets import customer_actions, limits, opening, operator_actions
from panel.services.tickets.opening import Asked
from panel.services.tickets.operator_actions import Operator
from tests.support.concurrently import run_concurrently
from tests.support.factories import NOON, a_customer, an_operator
from tests.support.ticket_factories import a_request_id, a_ticket, asking

pytestmark = pytest.mark.both_engines


def opens(customer_id: int, asked: Asked) -> Callable[[], int]:
    def call() -> int:
        with transaction():
            return opening.open_ticket(customer_id, asked=asked, now=NOON).id

    return call


def answers(ticket_id: int, operator: Operator) -> Callable[[], int]:
    def call() -> int:
        with transaction():
            return operator_actions.answer(
                ticket_id, operator=operator, text=f"By {operator.id}", request_id=a_request_id(), seen=1, now=NOON
            ).id

    return call


def count(model: type[Ticket] | type[TicketEntry]) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_one_form_pressed_many_times_at_once_is_one_ticket(app: Flask) -> None:
    customer_id, asked = a_customer().id, asking()

    made = run_concurrently(app, [opens(customer_id, asked)] * 8)

    assert len(set(made)) == 1
    assert (count(Ticket), count(TicketEntry)) == (1, 1)


def test_limit_of_new_tickets_holds_at_once(app: Flask) -> None:
    customer_id = a_customer().id

    made = run_concurrently(app, [opens(customer_id, asking()) for _ in range(14)], expected=TooManyTries)

    assert sum(isinstance(each, int) for each in made) == limits.MAX_NEW_TICKETS
    assert count(Ticket) == limits.MAX_NEW_TICKETS


def test_of_operators_who_reply_concurrently_one_succeeds_and_the_others_are_refused(app: Flask) -> None:
    ticket_id = a_ticket().id
    operators = [Operator(user.id, user.email) for user in (an_operator() for _ in range(6))]

    results = run_concurrently(app, [answers(ticket_id, operator) for operator in operators], expected=StaleForm)

    assert sum(isinstance(each, int) for each in results) == 1
    assert count(TicketEntry) == 2


def test_both_sides_at_once_never_block_each_other_and_number_every_line(app: Flask) -> None:
    ticket = a_ticket()
    ticket_id, customer_id = ticket.id, ticket.customer_id
    operators = [Operator(user.id, user.email) for user in (an_operator() for _ in range(3))]

    def writes() -> int:
        with transaction():
            return customer_actions.answer(
                ticket_id, customer_id=customer_id, text="Mine", request_id=a_request_id(), now=NOON
            ).id

    def closes() -> bool:
        with transaction():
            return customer_actions.close(ticket_id, customer_id=customer_id, now=NOON)

    calls = [writes, *(answers(ticket_id, operator) for operator in operators), closes, writes, closes]
    run_concurrently(app, calls, expected=PanelError)

    db.session.rollback()
    numbers = list(db.session.scalars(select(TicketEntry.number).order_by(TicketEntry.number)))
    assert numbers == list(range(1, len(numbers) + 1))
    assert db.session.get_one(Ticket, ticket_id).version == len(numbers) >= 4
