"""First response time of tickets, measured from the tickets themselves."""

from datetime import datetime, timedelta

from sqlalchemy import select

from panel.db import db
from panel.models import Ticket
from panel.services.delivery_times import Measure

WINDOW = timedelta(days=30)
MIN_SAMPLE = 10
NEWEST_TICKETS = 20_000


def first_answers(*, now: datetime) -> Measure | None:
    """Time to an operator's first answer, over tickets first answered in the window; None if there are too few."""
    rows = db.session.execute(
        select(Ticket.opened_at, Ticket.first_answer_at)
        .where(Ticket.first_answer_at > now - WINDOW, Ticket.first_answer_at <= now)
        .order_by(Ticket.first_answer_at.desc())
        .limit(NEWEST_TICKETS)
    )
    seconds = sorted(
        (answered - opened) // timedelta(seconds=1)
        for opened, answered in rows
        if answered is not None and answered >= opened
    )
    count = len(seconds)
    if count < MIN_SAMPLE:
        return None
    # Nearest-rank percentile, so that each figure is a time that really occurred.
    median, p90 = seconds[(count + 1) // 2 - 1], seconds[-(-count * 9 // 10) - 1]
    return Measure(median_seconds=median, p90_seconds=p90, sample=count)
