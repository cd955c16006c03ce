"""Rows of tickets, for the customer's list and the operators' queue, and one page of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select

from panel.db import db
from panel.domain.ticket import TicketKind, TicketState
from panel.models import Ticket
from panel.services.tickets.subjects import name_of


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A row of a list of tickets. `about` is empty for a ticket that is about nothing in particular."""

    id: int
    subject: str
    kind: TicketKind
    about: str
    state: TicketState
    last_at: datetime
    waits_since: datetime


Row = TypeVar("Row", bound=TicketRow)


@dataclass(frozen=True, slots=True)
class TicketPage(Generic[Row]):
    """A page of a list, and whether there is a next one."""

    rows: tuple[Row, ...]
    page: int
    has_more: bool


def fields(ticket: Ticket) -> dict[str, Any]:
    """The fields of a TicketRow."""
    return {
        "id": ticket.id,
        "subject": ticket.subject,
        "kind": TicketKind(ticket.kind),
        "about": name_of(order_id=ticket.order_id, refill_id=ticket.refill_id, transfer_id=ticket.transfer_id),
        "state": TicketState(ticket.state),
        "last_at": ticket.last_at,
        "waits_since": ticket.waits_since,
    }


def read_page(
    statement: Select[*tuple[Any, ...]], make: Callable[..., Row], *, number: int, size: int
) -> TicketPage[Row]:
    """Page `number`, from 1, of a sorted statement; `make` turns one result into its row."""
    found = db.session.execute(statement.offset((number - 1) * size).limit(size + 1)).all()
    return TicketPage(tuple(make(*each) for each in found[:size]), number, len(found) > size)
