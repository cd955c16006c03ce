"""Customer's actions on a ticket: reply, close, reopen."""

from collections.abc import Sequence
from datetime import datetime

from panel.domain.errors import BadInput, RequestIdUsed
from panel.domain.ticket import EntryKind, TicketState, checked_text
from panel.models import Ticket, TicketEntry
from panel.services import customer_version
from panel.services.closed_accounts import check_open
from panel.services.money import ledger
from panel.services.orders import placing
from panel.services.tickets import append, images, limits, notifications
from panel.services.tickets.images import Attachment

NO_NUMBER = "The form was incomplete. Check it and send it again."


def answer(
    ticket_id: int,
    *,
    customer_id: int,
    text: str,
    request_id: str,
    attachments: Sequence[Attachment] = (),
    now: datetime,
) -> TicketEntry:
    """Add the customer's reply, once; reopens a closed ticket. Raises NotFound, BadInput or TooManyTries."""
    ledger.lock_accounts([customer_id])
    check_open([customer_id])
    ticket = append.lock(ticket_id, customer_id=customer_id)
    text = checked_text(text)
    if (earlier := sent_before(ticket, text=text, request_id=request_id, attachments=attachments)) is not None:
        return earlier
    limits.check_message(customer_id, now=now)
    images.check_limits(customer_id, adding=len(attachments), ticket_id=ticket.id, now=now)
    entry = append.add(
        ticket, EntryKind.MESSAGE, author_id=customer_id, is_ours=False, text=text, request_id=request_id, now=now
    )
    images.add(entry, attachments)
    append.move(ticket, TicketState.WAITING_FOR_US, now=now)
    notifications.notify_operators(ticket, entry, images=len(attachments), now=now)
    customer_version.bump([customer_id])
    return entry


def sent_before(
    ticket: Ticket, *, text: str, request_id: str, attachments: Sequence[Attachment] = ()
) -> TicketEntry | None:
    """The entry this form created before. Raises BadInput, or RequestIdUsed if text or images were different."""
    if not placing.is_request_id(request_id):
        raise BadInput(NO_NUMBER)
    earlier = append.find_by_request(ticket, request_id=request_id)
    if earlier is None:
        return None
    if earlier.text == text and not images.are_those_of(earlier.id, attachments):
        raise RequestIdUsed(
            "This form has already sent this text, with other images or none. "
            "The images that you chose now were not sent: send them again with a few words if you want to add them."
        )
    if earlier.text != text:
        raise RequestIdUsed(
            "This form has already sent another text, which stands in the thread. "
            "What you typed now was not sent: send it again if you want to add it."
        )
    return earlier


def close(ticket_id: int, *, customer_id: int, now: datetime) -> bool:
    """Close the customer's ticket; False if it was closed already. Raises NotFound."""
    ticket = append.lock(ticket_id, customer_id=customer_id)
    if not TicketState(ticket.state).is_open:
        return False
    append.add(ticket, EntryKind.CLOSED, author_id=customer_id, is_ours=False, now=now)
    append.move(ticket, TicketState.CLOSED, now=now)
    customer_version.bump([customer_id])
    return True


def reopen(ticket_id: int, *, customer_id: int, now: datetime) -> bool:
    """Reopen a closed ticket; False if it was open. Raises NotFound or TooManyTries."""
    ledger.lock_accounts([customer_id])
    check_open([customer_id])
    ticket = append.lock(ticket_id, customer_id=customer_id)
    if TicketState(ticket.state).is_open:
        return False
    limits.check_message(customer_id, now=now)
    append.add(ticket, EntryKind.REOPENED, author_id=customer_id, is_ours=False, now=now)
    append.move(ticket, TicketState.WAITING_FOR_US, now=now)
    customer_version.bump([customer_id])
    return True
