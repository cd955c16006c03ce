"""Operators' actions on a ticket: answer, note, assign, close, reopen, each with an audit log entry.

Optimistic locking: answering, closing and reopening name the last entry the operator saw. If there is a newer one,
nothing is done and StaleForm tells the operator.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, select

from panel.db import db
from panel.domain.accounts.roles import ALLOWED, Action
from panel.domain.errors import NotFound, StaleForm
from panel.domain.ticket import EntryKind, TicketState, checked_text
from panel.models import Ticket, TicketEntry, User
from panel.services import audit_log, customer_version
from panel.services.closed_accounts import check_open
from panel.services.tickets import append, images, notifications
from panel.services.tickets.customer_actions import sent_before
from panel.services.tickets.images import Attachment

# The first condition follows from the second, and lets the index of the staff be used.
_ANSWERS = and_(User.is_staff, User.role.in_(ALLOWED[Action.ANSWER_TICKETS]))


@dataclass(frozen=True, slots=True)
class Operator:
    """The operator who acts."""

    id: int
    email: str


def answer(
    ticket_id: int,
    *,
    operator: Operator,
    text: str,
    request_id: str,
    seen: int,
    closes: bool = False,
    attachments: Sequence[Attachment] = (),
    now: datetime,
) -> TicketEntry:
    """Send an answer, once, and optionally close the ticket; an unassigned ticket is assigned to the operator.

    Raises NotFound, BadInput, RequestIdUsed, StaleForm if there is an entry after the last one seen, and Refused if the
    customer has closed the account.
    """
    ticket = _lock(ticket_id)
    text = checked_text(text)
    if (earlier := sent_before(ticket, text=text, request_id=request_id, attachments=attachments)) is not None:
        return earlier
    _check_seen(ticket, seen)
    images.check_ticket(ticket.id, adding=len(attachments))
    entry = append.add(
        ticket, EntryKind.MESSAGE, author_id=operator.id, is_ours=True, text=text, request_id=request_id, now=now
    )
    images.add(entry, attachments)
    append.move(ticket, TicketState.WAITING_FOR_YOU, now=now)
    if ticket.first_answer_at is None:
        ticket.first_answer_at = now
    if ticket.assignee_id is None:
        ticket.assignee_id = operator.id
    if closes:
        _close(ticket, operator, now=now)
    action = "tickets answer and close" if closes else "tickets answer"
    _log(action, ticket, operator, now=now)
    notifications.notify_customer(ticket, entry, now=now)
    customer_version.bump([ticket.customer_id])
    return entry


def note(ticket_id: int, *, operator: Operator, text: str, request_id: str, now: datetime) -> TicketEntry:
    """Add an internal note, once. The customer's pages don't change. Raises NotFound, BadInput or Refused."""
    ticket = _lock(ticket_id)
    text = checked_text(text, field="note")
    if (earlier := sent_before(ticket, text=text, request_id=request_id)) is not None:
        return earlier
    entry = append.add(
        ticket, EntryKind.NOTE, author_id=operator.id, is_ours=True, text=text, request_id=request_id, now=now
    )
    _log("tickets note", ticket, operator, now=now)
    return entry


def assign(ticket_id: int, *, operator: Operator, assignee_id: int | None, was_id: int | None, now: datetime) -> None:
    """Assign the ticket to an operator, or to nobody. Raises NotFound, or StaleForm if it was reassigned."""
    ticket = append.lock(ticket_id)
    if assignee_id == ticket.assignee_id:
        return
    if was_id != ticket.assignee_id:
        raise StaleForm("This ticket was assigned in the meantime. Nothing was changed. Check who has it, then decide.")
    name = _operator_email(assignee_id) if assignee_id is not None else "nobody"
    ticket.assignee_id = assignee_id
    _log("tickets assign", ticket, operator, detail=f"To {name}.", now=now)


def close(ticket_id: int, *, operator: Operator, seen: int, now: datetime) -> bool:
    """Close the ticket; False if it was closed already. Raises NotFound or StaleForm."""
    ticket = append.lock(ticket_id)
    if not TicketState(ticket.state).is_open:
        return False
    _check_seen(ticket, seen)
    _close(ticket, operator, now=now)
    _log("tickets close", ticket, operator, now=now)
    customer_version.bump([ticket.customer_id])
    return True


def reopen(ticket_id: int, *, operator: Operator, now: datetime) -> bool:
    """Reopen a closed ticket, waiting for us; False if it was open. Raises NotFound or Refused."""
    ticket = _lock(ticket_id)
    if TicketState(ticket.state).is_open:
        return False
    append.add(ticket, EntryKind.REOPENED, author_id=operator.id, is_ours=True, now=now)
    append.move(ticket, TicketState.WAITING_FOR_US, now=now)
    _log("tickets reopen", ticket, operator, now=now)
    customer_version.bump([ticket.customer_id])
    return True


def operators() -> list[tuple[int, str]]:
    """Everyone a ticket can be assigned to: id and email, sorted by email."""
    rows = db.session.execute(select(User.id, User.email).where(_ANSWERS).order_by(User.email))
    return [(number, email) for number, email in rows]


def _lock(ticket_id: int) -> Ticket:
    """The ticket, locked for writing. Raises Refused if its customer's account is closed."""
    ticket = append.lock(ticket_id)
    check_open([ticket.customer_id])
    return ticket


def _close(ticket: Ticket, operator: Operator, *, now: datetime) -> None:
    append.add(ticket, EntryKind.CLOSED, author_id=operator.id, is_ours=True, now=now)
    append.move(ticket, TicketState.CLOSED, now=now)


def _check_seen(ticket: Ticket, seen: int) -> None:
    if seen != ticket.version:
        raise StaleForm(
            "Something came to this ticket after you opened it. Nothing was sent. Read what is new, then decide again."
        )


def _operator_email(user_id: int) -> str:
    email = db.session.scalar(select(User.email).where(User.id == user_id, _ANSWERS))
    if email is None:
        raise NotFound("There is no such operator.")
    return email


def _log(action: str, ticket: Ticket, operator: Operator, *, detail: str = "", now: datetime) -> None:
    audit_log.write(action, actor=operator.email, subject=f"ticket {ticket.id}", detail=detail, now=now)
