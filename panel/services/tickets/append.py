"""Appends to a ticket's thread, the only way: lock the ticket, number the entry, update the state."""

from datetime import datetime

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.domain.errors import NotFound
from panel.domain.lists.list_filters import MAX_ID
from panel.domain.ticket import EntryKind, TicketState
from panel.models import Ticket, TicketEntry


def lock(ticket_id: int, *, customer_id: int | None = None) -> Ticket:
    """The ticket, locked until the transaction ends. Raises NotFound, also for another customer's ticket."""
    statement = select(Ticket).where(Ticket.id == ticket_id)
    if customer_id is not None:
        statement = statement.where(Ticket.customer_id == customer_id)
    ticket: Ticket | None = None
    if 0 < ticket_id <= MAX_ID:
        # Refresh: it may have been read before it was locked.
        ticket = db.session.scalar(lock_rows(statement), execution_options={"populate_existing": True})
    if ticket is None:
        raise NotFound(f"There is no ticket {ticket_id}.")
    return ticket


def find_by_request(ticket: Ticket, *, request_id: str) -> TicketEntry | None:
    """The entry this form created before, if any (idempotency key)."""
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
    """Append an entry to a locked ticket."""
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
    """Change who must act next. The waiting time starts only when the state changes."""
    if ticket.state != to:
        ticket.state, ticket.waits_since = to, now
