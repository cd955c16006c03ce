"""A customer's ticket list, latest activity first, with counts by state."""

from sqlalchemy import func, select

from panel.db import db
from panel.domain.ticket import TicketState
from panel.models import Ticket
from panel.services.tickets import ticket_rows
from panel.services.tickets.ticket_rows import TicketPage, TicketRow

TICKETS_PER_PAGE = 25


def counts(customer_id: int) -> dict[TicketState, int]:
    """Number of the customer's tickets by state."""
    rows = db.session.execute(
        select(Ticket.state, func.count()).where(Ticket.customer_id == customer_id).group_by(Ticket.state)
    )
    found = {TicketState(state): count for state, count in rows}
    return {state: found.get(state, 0) for state in TicketState}


def page(customer_id: int, *, state: TicketState | None = None, number: int = 1) -> TicketPage[TicketRow]:
    """A page of the customer's tickets, in one state or all."""
    statement = select(Ticket).where(Ticket.customer_id == customer_id)
    if state is not None:
        statement = statement.where(Ticket.state == state)
    newest_first = statement.order_by(Ticket.last_at.desc(), Ticket.id.desc())
    return ticket_rows.read_page(newest_first, _row, number=number, size=TICKETS_PER_PAGE)


def about_order(order_id: int) -> list[TicketRow]:
    """Tickets about this order, newest first."""
    found = db.session.scalars(select(Ticket).where(Ticket.order_id == order_id).order_by(Ticket.id.desc()))
    return [_row(ticket) for ticket in found]


def _row(ticket: Ticket) -> TicketRow:
    return TicketRow(**ticket_rows.fields(ticket))
