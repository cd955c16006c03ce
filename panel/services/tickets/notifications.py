"""Emails about new ticket entries: to the customer about answers, to support about customers' messages."""

from datetime import datetime

from sqlalchemy import Text, cast, delete, literal, select

from panel import app_context
from panel.db import db
from panel.domain.notification_kinds import Notice
from panel.models import Mail, MailKind, Ticket, TicketEntry
from panel.services.mail import notifications, outbox
from panel.services.mail import templates as mail_templates


def notify_operators(ticket: Ticket, entry: TicketEntry, *, images: int = 0, now: datetime) -> None:
    """Email the customer's message to the support address, if one is configured."""
    settings = app_context.settings()
    if not settings.support_email:
        return
    written = mail_templates.write(
        MailKind.TICKET_FOR_US,
        ticket_id=ticket.id,
        subject=ticket.subject,
        text=entry.text,
        images=images,
        is_new=entry.number == 1,
    )
    outbox.queue(
        settings.support_email,
        written,
        key=f"ticket-entry:{entry.id}:us",
        now=now,
    )


def forget(customer_id: int) -> None:
    """Delete queued support emails that contain this customer's messages, when the account is closed."""
    number = cast(TicketEntry.id, Text)
    keys = (
        select(literal("ticket-entry:").concat(number).concat(":us"))
        .join(Ticket, Ticket.id == TicketEntry.ticket_id)
        .where(Ticket.customer_id == customer_id)
    )
    db.session.execute(delete(Mail).where(Mail.key.in_(keys)))


def notify_customer(ticket: Ticket, entry: TicketEntry, *, now: datetime) -> None:
    """Email the customer about an answer, unless turned off. The email doesn't contain the answer."""
    key = f"ticket-entry:{entry.id}:customer"
    notifications.notify(
        ticket.customer_id, Notice.TICKET, key=key, now=now, ticket_id=ticket.id, subject=ticket.subject
    )
