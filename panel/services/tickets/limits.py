"""Rate limits of tickets and messages per customer and hour, counted in the database under the account's lock."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute

from panel.db import db
from panel.domain.errors import TooManyTries
from panel.domain.ticket import EntryKind
from panel.models import Ticket, TicketEntry

WINDOW = timedelta(hours=1)
MAX_NEW_TICKETS = 10
MAX_MESSAGES = 60


def check_new_ticket(customer_id: int, *, now: datetime) -> None:
    """Raises TooManyTries if the customer has reached the hourly limit of new tickets."""
    what = f"You have opened {MAX_NEW_TICKETS} tickets within an hour, which is the limit"
    _refuse_beyond(MAX_NEW_TICKETS, Ticket.opened_at, Ticket.customer_id == customer_id, what=what, now=now)


def check_message(customer_id: int, *, now: datetime) -> None:
    """Raises TooManyTries if the customer has reached the hourly limit of messages."""
    is_theirs = (
        (TicketEntry.author_id == customer_id) & TicketEntry.is_ours.is_(False) & (TicketEntry.kind != EntryKind.NOTE)
    )
    what = f"You have sent {MAX_MESSAGES} messages within an hour, which is the limit"
    _refuse_beyond(MAX_MESSAGES, TicketEntry.at, is_theirs, what=what, now=now)


def _refuse_beyond(
    most: int, at: InstrumentedAttribute[datetime], is_theirs: ColumnElement[bool], *, what: str, now: datetime
) -> None:
    count, oldest = db.session.execute(
        select(func.count(), func.min(at)).where(is_theirs, at > now - WINDOW, at <= now)
    ).one()
    if count < most:
        return
    seconds = max(1, -(-(oldest + WINDOW - now) // timedelta(seconds=1)))
    minutes = -(-seconds // 60)
    wait = "1 minute" if minutes == 1 else f"{minutes} minutes"
    raise TooManyTries(f"{what}. Nothing was sent. Try again in {wait}.", retry_after_seconds=seconds)
