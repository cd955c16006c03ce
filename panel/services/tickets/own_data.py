"""A customer's tickets as their own data: to be given out whole, and to be emptied when the account is closed."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select, update

from panel.db import change, db
from panel.domain.ticket import EntryKind, TicketState
from panel.models import Ticket, TicketEntry

ERASED = "Erased: the account was closed."


def rows(customer_id: int) -> Iterator[dict[str, object]]:
    """Each line that the customer wrote or was shown, with its ticket; the operators' notes are not among them."""
    found = db.session.execute(
        select(Ticket, TicketEntry)
        .join(TicketEntry, TicketEntry.ticket_id == Ticket.id)
        .where(Ticket.customer_id == customer_id, TicketEntry.kind != EntryKind.NOTE)
        .order_by(Ticket.id, TicketEntry.number)
    )
    for ticket, entry in found:
        yield {
            "ticket": ticket.id,
            "subject": ticket.subject,
            "about": ticket.kind,
            "order": ticket.order_id,
            "refill": ticket.refill_id,
            "statement_line": ticket.transfer_id,
            "state": ticket.state,
            "opened_at": ticket.opened_at,
            "at": entry.at,
            "by": "us" if entry.is_ours else "you",
            "what": entry.kind,
            "text": entry.text,
        }


def erase(customer_id: int, *, now: datetime) -> int:
    """Close the customer's tickets and empty what was written in them; how many tickets."""
    theirs = select(Ticket.id).where(Ticket.customer_id == customer_id)
    wrote = EntryKind.MESSAGE, EntryKind.NOTE
    change(
        update(TicketEntry).where(TicketEntry.ticket_id.in_(theirs), TicketEntry.kind.in_(wrote)).values(text=ERASED)
    )
    change(
        update(Ticket)
        .where(Ticket.customer_id == customer_id, Ticket.state != TicketState.CLOSED)
        .values(state=TicketState.CLOSED, waits_since=now, last_at=now, version=Ticket.version + 1)
    )
    return change(update(Ticket).where(Ticket.customer_id == customer_id).values(subject=ERASED))
