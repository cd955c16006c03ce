"""Ticket page: the thread without internal notes for its customer, and with everything for operators."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from panel.db import db
from panel.domain.lists.list_filters import MAX_ID
from panel.domain.ticket import EntryKind, TicketKind, TicketState
from panel.models import Ticket, TicketEntry, User
from panel.services.tickets import images
from panel.services.tickets.images import ShownImage
from panel.services.tickets.subjects import Thing, carried_by

ENTRIES_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class ThreadLine:
    """An entry of the thread."""

    id: int
    number: int
    kind: EntryKind
    is_ours: bool
    text: str
    at: datetime
    author: str
    images: tuple[ShownImage, ...]

    @property
    def is_note(self) -> bool:
        return self.kind is EntryKind.NOTE

    @property
    def is_message(self) -> bool:
        return self.kind is EntryKind.MESSAGE


@dataclass(frozen=True, slots=True)
class Thread:
    """A page of a thread, oldest entry first; new entries are on the last page."""

    lines: tuple[ThreadLine, ...]
    page: int
    pages: int

    @property
    def is_last(self) -> bool:
        return self.page == self.pages

    @property
    def earlier(self) -> int | None:
        return self.page - 1 if self.page > 1 else None

    @property
    def later(self) -> int | None:
        return None if self.is_last else self.page + 1


@dataclass(frozen=True, slots=True)
class OwnTicket:
    """A ticket with the order, refill or statement entry it is about."""

    ticket: Ticket
    thing: Thing

    @property
    def id(self) -> int:
        return self.ticket.id

    @property
    def state(self) -> TicketState:
        return TicketState(self.ticket.state)

    @property
    def kind(self) -> TicketKind:
        return TicketKind(self.ticket.kind)


def find(ticket_id: int, *, customer_id: int) -> OwnTicket | None:
    """The ticket, if it belongs to this customer."""
    return _found(ticket_id, Ticket.customer_id == customer_id)


def find_any(ticket_id: int) -> OwnTicket | None:
    """Any customer's ticket, for the office."""
    return _found(ticket_id)


def _found(ticket_id: int, *whose: ColumnElement[bool]) -> OwnTicket | None:
    if not 0 < ticket_id <= MAX_ID:
        return None
    ticket = db.session.scalar(select(Ticket).where(Ticket.id == ticket_id, *whose))
    return None if ticket is None else OwnTicket(ticket, carried_by(ticket))


def thread(ticket_id: int, *, page: int | None = None) -> Thread:
    """The customer's view, by default the last page; a page number beyond it shows the last page."""
    return _thread(ticket_id, TicketEntry.kind != EntryKind.NOTE, page=page)


def whole_thread(ticket_id: int, *, page: int | None = None) -> Thread:
    """The operators' view: all entries, with notes and operator names."""
    return _thread(ticket_id, page=page)


def lines_after(ticket_id: int, *, number: int) -> tuple[ThreadLine, ...]:
    """Entries after this one, with notes."""
    return _lines(ticket_id, TicketEntry.number > number)


def _thread(ticket_id: int, *which: ColumnElement[bool], page: int | None) -> Thread:
    of_ticket = (TicketEntry.ticket_id == ticket_id, *which)
    count = db.session.scalar(select(func.count()).select_from(TicketEntry).where(*of_ticket)) or 0
    pages = max(1, -(-count // ENTRIES_PER_PAGE))
    page = pages if page is None else min(max(1, page), pages)
    lines = _lines(ticket_id, *which, offset=(page - 1) * ENTRIES_PER_PAGE)
    return Thread(lines, page, pages)


def _lines(ticket_id: int, *which: ColumnElement[bool], offset: int = 0) -> tuple[ThreadLine, ...]:
    rows = db.session.execute(
        select(
            TicketEntry.id,
            TicketEntry.number,
            TicketEntry.kind,
            TicketEntry.is_ours,
            TicketEntry.text,
            TicketEntry.at,
            User.email,
        )
        .join(User, User.id == TicketEntry.author_id)
        .where(TicketEntry.ticket_id == ticket_id, *which)
        .order_by(TicketEntry.number)
        .offset(offset)
        .limit(ENTRIES_PER_PAGE)
    ).all()
    attached = images.by_entry([row[0] for row in rows])
    return tuple(
        ThreadLine(number, place, EntryKind(kind), is_ours, text, at, author, attached.get(number, ()))
        for number, place, kind, is_ours, text, at, author in rows
    )
