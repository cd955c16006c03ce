"""Opening tickets: validation, rate limit and an idempotency key per form."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.domain.errors import BadInput, PanelError, RequestIdUsed
from panel.domain.ticket import EntryKind, TicketKind, TicketState, checked_subject, checked_text
from panel.models import Ticket, TicketEntry
from panel.services import customer_version
from panel.services.closed_accounts import check_open
from panel.services.money import ledger
from panel.services.orders import placing
from panel.services.tickets import images, limits, notifications, subjects
from panel.services.tickets.images import Attachment
from panel.services.tickets.subjects import SubjectNumbers


@dataclass(frozen=True)
class Asked:
    """A request to open a ticket, as received."""

    kind: str
    subject: str
    text: str
    request_id: str
    wanted: SubjectNumbers


def faults(asked: Asked) -> list[PanelError]:
    """All validation errors, so that a form shows them together."""
    found: list[PanelError] = []
    for check in (_checked_kind, _checked_subject, _checked_text):
        try:
            check(asked)
        except PanelError as error:
            found.append(error)
    return found


def open_ticket(customer_id: int, *, asked: Asked, attachments: Sequence[Attachment] = (), now: datetime) -> Ticket:
    """Open a ticket, or return the existing one with the same request id.

    Raises BadInput for invalid input, NotFound for a record that isn't the customer's, RequestIdUsed if the id was
    used with other input, and TooManyTries beyond the limit.
    """
    kind, subject, text = _checked_kind(asked), _checked_subject(asked), _checked_text(asked)
    if not placing.is_request_id(asked.request_id):
        raise BadInput("The form was incomplete. Open it again.", field="request_id")
    ledger.lock_accounts([customer_id])
    check_open([customer_id])
    earlier = find_by_request(customer_id, request_id=asked.request_id)
    if earlier is not None:
        return _same_or_refused(earlier, asked, _Words(kind, subject, text), attachments)
    thing = subjects.find(customer_id, wanted=asked.wanted)
    limits.check_new_ticket(customer_id, now=now)
    limits.check_message(customer_id, now=now)
    images.check_limits(customer_id, adding=len(attachments), now=now)
    ticket = Ticket(
        customer_id=customer_id,
        request_id=asked.request_id,
        kind=kind,
        subject=subject,
        order_id=thing.order.id if thing.order else None,
        refill_id=thing.refill.id if thing.refill else None,
        transfer_id=thing.line.id if thing.line else None,
        state=TicketState.WAITING_FOR_US,
        waits_since=now,
        version=1,
        opened_at=now,
        last_at=now,
    )
    db.session.add(ticket)
    db.session.flush()
    entry = TicketEntry(
        ticket_id=ticket.id, number=1, kind=EntryKind.MESSAGE, author_id=customer_id, is_ours=False, text=text, at=now
    )
    db.session.add(entry)
    db.session.flush()
    images.add(entry, attachments)
    notifications.notify_operators(ticket, entry, images=len(attachments), now=now)
    customer_version.bump([customer_id])
    return ticket


def find_by_request(customer_id: int, *, request_id: str) -> Ticket | None:
    """The ticket this customer's form created before, if any (idempotency key)."""
    return db.session.scalar(select(Ticket).where(Ticket.customer_id == customer_id, Ticket.request_id == request_id))


@dataclass(frozen=True)
class _Words:
    """The typed values, validated."""

    kind: TicketKind
    subject: str
    text: str


def _same_or_refused(earlier: Ticket, asked: Asked, words: _Words, attachments: Sequence[Attachment]) -> Ticket:
    first = db.session.scalars(
        select(TicketEntry).where(TicketEntry.ticket_id == earlier.id, TicketEntry.number == 1)
    ).one()
    wanted = asked.wanted
    carried = wanted.transfer_id or wanted.refill_id or wanted.order_id
    about = earlier.transfer_id or earlier.refill_id or earlier.order_id
    is_same = (_Words(TicketKind(earlier.kind), earlier.subject, first.text), about) == (words, carried)
    if not (is_same and images.are_those_of(first.id, attachments)):
        raise RequestIdUsed(f"This form has already opened ticket {earlier.id}. Nothing was sent again.")
    return earlier


def _checked_kind(asked: Asked) -> TicketKind:
    if asked.kind not in set(TicketKind):
        raise BadInput("Choose what it is about.", field="kind")
    return TicketKind(asked.kind)


def _checked_subject(asked: Asked) -> str:
    return checked_subject(asked.subject)


def _checked_text(asked: Asked) -> str:
    return checked_text(asked.text)
