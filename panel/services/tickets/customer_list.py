"""A customer's ticket list, latest activity first, with counts by state."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from panel.db import db
from panel.domain.ticket import TicketKind, TicketState
from panel.models import Ticket
from panel.services.tickets.subjects import name_of

TICKETS_PER_PAGE = 25


@dataclass(frozen=True, slots=True)
class OwnTicketRow:
    """A row of the list. `about` is empty for a ticket that is about nothing in particular."""

    id: int
    subject: str
    kind: TicketKind
    about: str
    state: TicketState
    last_at: datetime


@dataclass(frozen=True, slots=True)
class OwnTicketPage:
    """A page of the list, and whether there is a next one."""

    rows: tuple[OwnTicketRow, ...]
    page: int
    has_more: bool


def counts(customer_id: int) -> dict[TicketState, int]:
    """Number of the customer's tickets by state."""
    rows = db.session.execute(
        select(Ticket.state, func.count()).where(Ticket.customer_id == customer_id).group_by(Ticket.state)
    )
    found = {TicketState(state): count for state, count in rows}
    return {state: found.get(state, 0) for state in TicketState}


def page(customer_id: int, *, state: TicketState | None = None, number: int = 1) -> OwnTicketPage:
    """A page of the customer's tickets, in one state or all."""
    statement = select(Ticket).where(Ticket.customer_id == customer_id)
    if state is not None:
        statement = statement.where(Ticket.state == state)
    found = db.session.scalars(
        statement.order_by(Ticket.last_at.desc(), Ticket.id.desc())
        .offset((number - 1) * TICKETS_PER_PAGE)
        .limit(TICKETS_PER_PAGE + 1)
    ).all()
    return OwnTicketPage(
        tuple(_row(ticket) for ticket in found[:TICKETS_PER_PAGE]), number, len(found) > TICKETS_PER_PAGE
    )


def about_order(order_id: int) -> list[OwnTicketRow]:
    """Tickets about this order, newest first."""
    found = db.session.scalars(select(Ticket).where(Ticket.order_id == order_id).order_by(Ticket.id.desc()))
    return [_row(ticket) for ticket in found]


def _row(ticket: Ticket) -> OwnTicketRow:
    return OwnTicketRow(
        id=ticket.id,
        subject=ticket.subject,
        kind=TicketKind(ticket.kind),
        about=name_of(order_id=ticket.order_id, refill_id=ticket.refill_id, transfer_id=ticket.transfer_id),
        state=TicketState(ticket.state),
        last_at=ticket.last_at,
    )
