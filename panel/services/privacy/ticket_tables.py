"""Data export tables of tickets: the tickets, their messages, and the images in them."""

from typing import Any

from sqlalchemy import Select, Text, case, cast, literal, select

from panel.domain.ticket import EntryKind
from panel.models import Ticket, TicketEntry, TicketImage

# Folder of the archive that has the images.
IMAGE_FOLDER = "ticket_images"


def tickets(user_id: int) -> Select[*tuple[Any, ...]]:
    return select(
        Ticket.id.label("number"),
        Ticket.kind,
        Ticket.subject,
        Ticket.state,
        Ticket.order_id.label("order"),
        Ticket.refill_id.label("refill"),
        Ticket.transfer_id.label("statement_line"),
        Ticket.opened_at,
        Ticket.first_answer_at,
        Ticket.last_at,
    ).where(Ticket.customer_id == user_id)


def messages(of_tickets: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Ticket threads as the customer sees them, without operators' internal notes."""
    who = case((TicketEntry.is_ours, "us"), else_="you")
    return select(
        TicketEntry.ticket_id.label("ticket"),
        TicketEntry.number,
        TicketEntry.kind,
        who.label("by"),
        TicketEntry.text,
        TicketEntry.at,
    ).where(TicketEntry.ticket_id.in_(of_tickets), TicketEntry.kind != EntryKind.NOTE)


def images(user_id: int) -> Select[*tuple[Any, ...]]:
    """Images of tickets, with the name of each one's file in the archive."""
    folder, suffix = literal(f"{IMAGE_FOLDER}/"), case((TicketImage.media_type == "image/png", ".png"), else_=".jpg")
    name = literal("ticket-").concat(cast(TicketImage.ticket_id, Text)).concat("-image-")
    return (
        select(
            TicketImage.ticket_id.label("ticket"),
            TicketEntry.number.label("message"),
            folder.concat(name).concat(cast(TicketImage.id, Text)).concat(suffix).label("file"),
            TicketImage.width,
            TicketImage.height,
        )
        .join(TicketEntry, TicketEntry.id == TicketImage.entry_id)
        .join(Ticket, Ticket.id == TicketImage.ticket_id)
        .where(Ticket.customer_id == user_id)
    )
