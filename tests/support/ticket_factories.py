"""Ticket factories, one plain function each. Each commits."""

import itertools
from datetime import datetime

from panel.db import transaction
from panel.models import Ticket, TicketEntry, User
from panel.services.tickets import opening, operator_actions
from panel.services.tickets.opening import Asked
from panel.services.tickets.operator_actions import Operator
from panel.services.tickets.subjects import SubjectNumbers
from tests.support.factories import NOON, a_customer, reload

_numbers = itertools.count(1)


def a_request_id() -> str:
    return f"ticket-form-{next(_numbers):06d}"


def asking(
    *,
    kind: str = "other",
    subject: str = "A question",
    text: str = "When does it start?",
    request_id: str | None = None,
    order: int | None = None,
    refill: int | None = None,
    line: int | None = None,
) -> Asked:
    return Asked(kind, subject, text, request_id or a_request_id(), SubjectNumbers(order, refill, line))


def a_ticket(*, customer: User | None = None, now: datetime = NOON, **asked: object) -> Ticket:
    """A ticket of this customer, waiting for us. Other keywords go to `asking`."""
    customer = customer or a_customer()
    with transaction():
        ticket = opening.open_ticket(customer.id, asked=asking(**asked), now=now)  # type: ignore[arg-type]
    return reload(ticket)


def answered(
    ticket: Ticket, *, operator: User, text: str = "It starts today.", closes: bool = False, now: datetime = NOON
) -> TicketEntry:
    """Add a reply of an operator who has seen the whole ticket."""
    seen = reload(ticket).version
    who, number = Operator(operator.id, operator.email), ticket.id
    with transaction():
        return operator_actions.answer(
            number, operator=who, text=text, request_id=a_request_id(), seen=seen, closes=closes, now=now
        )
