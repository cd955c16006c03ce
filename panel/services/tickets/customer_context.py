"""Customer context beside a ticket in the office: the account, recent orders and other tickets."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from panel.db import db
from panel.domain.status import Status
from panel.models import Order, OrderCount, Terms, Ticket, User
from panel.services.money import ledger
from panel.services.tickets import customer_list
from panel.services.tickets.ticket_rows import TicketRow

NEWEST_ORDERS = 5
NEWEST_TICKETS = 5


@dataclass(frozen=True, slots=True)
class RecentOrder:
    id: int
    tool_name: str
    status: Status
    charge_nanos: int
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class Customer:
    """The customer of a ticket, for operators."""

    id: int
    email: str
    since: datetime
    balance_nanos: int
    held_nanos: int
    orders_by_status: dict[Status, int]
    orders: tuple[RecentOrder, ...]
    tickets: int
    other_tickets: tuple[TicketRow, ...]


def customer_of(ticket: Ticket) -> Customer:
    """The ticket's customer with the latest orders and other tickets."""
    user = db.session.get_one(User, ticket.customer_id)
    counts = db.session.execute(
        select(OrderCount.status, OrderCount.orders).where(OrderCount.customer_id == user.id, OrderCount.orders > 0)
    )
    found = {Status(status): count for status, count in counts}
    newest = customer_list.page(user.id).rows
    return Customer(
        id=user.id,
        email=user.email,
        since=user.created_at,
        balance_nanos=ledger.balance_nanos(user.id),
        held_nanos=ledger.held_nanos(user.id),
        orders_by_status={status: found[status] for status in Status if status in found},
        orders=_newest_orders(user.id),
        tickets=db.session.scalar(select(func.count()).where(Ticket.customer_id == user.id)) or 0,
        other_tickets=tuple(row for row in newest if row.id != ticket.id)[:NEWEST_TICKETS],
    )


def _newest_orders(customer_id: int) -> tuple[RecentOrder, ...]:
    rows = db.session.execute(
        select(Order.id, Terms.name, Order.status, Order.charge_nanos, Order.placed_at)
        .join(Terms, Terms.id == Order.terms_id)
        .where(Order.customer_id == customer_id)
        .order_by(Order.id.desc())
        .limit(NEWEST_ORDERS)
    )
    return tuple(RecentOrder(number, name, Status(status), charge, at) for number, name, status, charge, at in rows)
