"""The one way to add a line to a thread: the ticket is held, the line gets the next number, the state follows."""

from datetime import datetime

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.domain.errors import NotFound
from panel.domain.list_filters import LARGEST_ID
from panel.domain.ticket import EntryKind, TicketState
from panel.models import Ticket, TicketEntry


def lock(ticket_id: int, *, customer_id: int | None = None) -> Ticket:
    """The ticket, held until the transaction ends. Raises NotFound, also when it is not this customer's."""
    statement = select(Ticket).where(Ticket.id == ticket_id)
    if customer_id is not None:
        statement = statement.where(Ticket.customer_id == customer_id)
    ticket: Ticket | None = None
    if 0 < ticket_id <= LARGEST_ID:
        # It may have been read before it was held.
        ticket = db.session.scalar(lock_rows(statement), execution_options={"populate_existing": True})
    if ticket is None:
        raise NotFound(f"There is no ticket {ticket_id}.")
    return ticket


def find_by_request(ticket: Ticket, *, request_id: str) -> TicketEntry | None:
    """The line that this form added before, if it did."""
    return db.session.scalar(
        select(TicketEntry).where(TicketEntry.ticket_id == ticket.id, TicketEntry.request_id == request_id)
    )


def add(
    ticket: Ticket,
    kind: EntryKind,
    *,
    author_id: int,
    is_ours: bool,
    text: str = "",
    request_id: str | None = None,
    now: datetime,
) -> TicketEntry:
    """Add the next line to a ticket that is held."""
    ticket.version += 1
    entry = TicketEntry(
        ticket_id=ticket.id,
        number=ticket.version,
        kind=kind,
        author_id=author_id,
        is_ours=is_ours,
        text=text,
        request_id=request_id,
        at=now,
    )
    db.session.add(entry)
    if kind is not EntryKind.NOTE:
        ticket.last_at = now
    db.session.flush()
    return entry


def move(ticket: Ticket, to: TicketState, *, now: datetime) -> None:
    """Say who must act next. It goes on waiting since when it began to."""
    if ticket.state != to:
        ticket.state, ticket.waits_since = to, now
