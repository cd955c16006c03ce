"""The demo's tickets, one of each state, and a few canned answers."""

from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.domain.refill import RefillState
from panel.domain.ticket import TicketKind
from panel.models import Order, Refill, Ticket, User
from panel.services.money import account_entries
from panel.services.orders import placing
from panel.services.tickets import canned_answers, customer_actions, opening, operator_actions
from panel.services.tickets.opening import Asked
from panel.services.tickets.operator_actions import Operator
from panel.services.tickets.subjects import SubjectNumbers

CANNED = (
    (
        "How long Pending takes",
        "Order {order} is in the queue. It moves on by itself when it is picked up, and its money is held until then. "
        "How long {tool} usually takes is measured on the page of the tool.",
    ),
    (
        "Where a refill stands",
        "Refill {refill} of order {order} is under way. The order is Completed again when it ends. There is no charge.",
    ),
    ("What a line means", "Line {line} of your statement is explained on the page of order {order}."),
    ("Thank you, and closed", "Thank you for telling us. We close ticket {ticket} now. An answer opens it again."),
)


def fill(customer: User, operator: User, *, now: datetime) -> None:
    """Tickets about the customer's orders, all written just now."""
    who = Operator(operator.id, operator.email)
    for name, text in CANNED:
        canned_answers.add(name=name, text=text, actor=who.email, now=now)
    order_id = db.session.scalars(select(Order.id).where(Order.customer_id == customer.id).order_by(Order.id)).first()
    _closed(customer.id, who, now=now)
    _answered(customer.id, who, now=now)
    _waiting(customer.id, order_id, now=now)


def _closed(customer_id: int, who: Operator, *, now: datetime) -> None:
    line = account_entries.last_entries(customer_id, count=1_000)[-1].id
    asked = _asked(
        TicketKind.MONEY, "Is this my whole first payment?", "I paid 100 dollars. Is this line all of it?", line=line
    )
    ticket_id = opening.open_ticket(customer_id, asked=asked, now=now).id
    _reply(ticket_id, who, text="Yes. The line shows the whole amount, and nothing was taken from it.", now=now)
    customer_actions.close(ticket_id, customer_id=customer_id, now=now)


def _answered(customer_id: int, who: Operator, *, now: datetime) -> None:
    is_open = Refill.state.in_([state for state in RefillState if state.is_open])
    mine = select(Refill.id).join(Order, Order.id == Refill.order_id).where(Order.customer_id == customer_id, is_open)
    refill_id = db.session.scalars(mine).first()
    asked = _asked(
        TicketKind.ORDER, "How long does a refill take?", "The count dropped, so I asked for it.", refill=refill_id
    )
    ticket_id = opening.open_ticket(customer_id, asked=asked, now=now).id
    note = "The provider tops up once a day."
    operator_actions.note(ticket_id, operator=who, text=note, request_id=placing.new_request_id(), now=now)
    text = "It is under way. The order shows Refill until it ends, and is Completed again then.\nThere is no charge."
    _reply(ticket_id, who, text=text, now=now)


def _waiting(customer_id: int, order_id: int | None, *, now: datetime) -> None:
    asked = _asked(TicketKind.ORDER, "Can I change the link?", "I would rather have the other page.", order=order_id)
    opening.open_ticket(customer_id, asked=asked, now=now)


def _asked(
    kind: TicketKind,
    subject: str,
    text: str,
    *,
    order: int | None = None,
    refill: int | None = None,
    line: int | None = None,
) -> Asked:
    return Asked(kind, subject, text, placing.new_request_id(), SubjectNumbers(order, refill, line))


def _reply(ticket_id: int, who: Operator, *, text: str, now: datetime) -> None:
    seen = db.session.get_one(Ticket, ticket_id).version
    request_id = placing.new_request_id()
    operator_actions.answer(ticket_id, operator=who, text=text, request_id=request_id, seen=seen, now=now)
