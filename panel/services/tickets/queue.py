"""Ticket queue for operators: tickets waiting for us first, longest waiting on top."""

from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import aliased

from panel.db import db
from panel.domain.accounts import email_address
from panel.domain.lists.order_filters import number_named
from panel.domain.ticket import TicketState
from panel.models import IS_CLOSED, IS_NOT_CLOSED, Ticket, User
from panel.services.tickets import ticket_rows
from panel.services.tickets.ticket_rows import TicketPage, TicketRow

ROWS_PER_PAGE = 40

_Customer, _Assignee = aliased(User), aliased(User)


class Whose(StrEnum):
    """Filter by assignee."""

    ALL = "all"
    MINE = "mine"
    NOBODYS = "nobodys"


class Stage(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class QueueFilters:
    """Filters of the queue."""

    whose: Whose = Whose.ALL
    stage: Stage = Stage.OPEN
    search: str = ""
    customer_id: int | None = None


@dataclass(frozen=True, slots=True)
class QueueRow(TicketRow):
    is_answered: bool
    customer_id: int
    customer: str
    assignee: str


def page(*, filters: QueueFilters, operator_id: int, number: int = 1) -> TicketPage[QueueRow]:
    """A page of tickets: open ones in queue order, then closed ones, last closed first."""
    rank = case(
        (Ticket.state == TicketState.WAITING_FOR_US, 0), (Ticket.state == TicketState.WAITING_FOR_YOU, 1), else_=2
    )
    open_first = (Ticket.waits_since, Ticket.id)
    closed_at = case((Ticket.state == TicketState.CLOSED, Ticket.waits_since))
    queue = (
        select(Ticket, _Customer.email, _Assignee.email)
        .join(_Customer, _Customer.id == Ticket.customer_id)
        .join(_Assignee, _Assignee.id == Ticket.assignee_id, isouter=True)
        .where(*_which(filters, operator_id=operator_id))
    )
    # Of closed ones alone as their index has them.
    closed = (Ticket.waits_since.desc(), Ticket.id.desc())
    queue = queue.order_by(*(closed if filters.stage is Stage.CLOSED else (rank, closed_at.desc(), *open_first)))
    return ticket_rows.read_page(queue, _row, number=number, size=ROWS_PER_PAGE)


def counts(*, filters: QueueFilters, operator_id: int) -> dict[Whose, int]:
    """Number of tickets at this stage, by assignee."""
    return {whose: _count(replace(filters, whose=whose), operator_id=operator_id) for whose in Whose}


def _count(filters: QueueFilters, *, operator_id: int) -> int:
    which = _which(filters, operator_id=operator_id)
    return db.session.scalar(select(func.count()).select_from(Ticket).where(*which)) or 0


def _which(filters: QueueFilters, *, operator_id: int) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.stage is not Stage.ANY:
        found.append(IS_CLOSED if filters.stage is Stage.CLOSED else IS_NOT_CLOSED)
    if filters.whose is Whose.MINE:
        found.append(Ticket.assignee_id == operator_id)
    if filters.whose is Whose.NOBODYS:
        found.append(Ticket.assignee_id.is_(None))
    if filters.customer_id is not None:
        found.append(Ticket.customer_id == filters.customer_id)
    if filters.search:
        found.append(_fits(filters.search))
    return found


def _fits(search: str) -> ColumnElement[bool]:
    """Search by ticket or order number, or by part of the subject or the customer's email."""
    text = search.lower()
    forms = email_address.search_forms(search)
    customers = select(User.id).where(or_(*(User.email.contains(form, autoescape=True) for form in forms)))
    fits = [func.lower(Ticket.subject).contains(text, autoescape=True), Ticket.customer_id.in_(customers)]
    if (number := number_named(search, thing="ticket")) is not None:
        fits.append(Ticket.id == number)
    if (number := number_named(search, thing="order")) is not None:
        fits.append(Ticket.order_id == number)
    return or_(*fits)


def _row(ticket: Ticket, customer: str, assignee: str | None) -> QueueRow:
    return QueueRow(
        **ticket_rows.fields(ticket),
        is_answered=ticket.first_answer_at is not None,
        customer_id=ticket.customer_id,
        customer=customer,
        assignee=assignee or "",
    )
