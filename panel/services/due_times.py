"""Due times after the clock was set back: nothing waits for as long as the clock went back."""

from datetime import datetime

from sqlalchemy import delete, update

from panel.db import db, execute_write
from panel.models import Cancellation, Heartbeat, Mail, Order, Provider, Refill, WebhookDelivery

# When a sweep next takes something up. A lease is among them, so nothing is due before a lease has run out.
COLUMNS = (
    Order.dispatch_at,
    Order.sync_at,
    Order.notice_at,
    Refill.due_at,
    Cancellation.due_at,
    WebhookDelivery.due_at,
    Mail.due_at,
    Provider.call_after,
    Provider.add_after,
    Provider.add_after,
    Provider.balance_due_at,
)


def pull_in(*, latest: datetime) -> int:
    """Make due at `latest` whatever is due later; how many. Workers that were seen after it are forgotten."""
    db.session.execute(delete(Heartbeat).where(Heartbeat.at > latest))
    return sum(
        execute_write(update(column.class_).where(column > latest).values({column: latest})) for column in COLUMNS
    )
