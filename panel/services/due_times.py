"""Due times after the clock was set back: pulls them in, so that nothing waits until the clock catches up."""

from datetime import datetime

from sqlalchemy import delete, update

from panel.db import db, execute_write
from panel.models import (
    CallSlot,
    Cancellation,
    CatalogueImport,
    Heartbeat,
    Mail,
    Order,
    Provider,
    Refill,
    TelegramMessage,
    WebhookDelivery,
)

# Due columns of all sweeps. They include leases, so `latest` must not be earlier than a lease can expire.
COLUMNS = (
    Order.dispatch_at,
    Order.sync_at,
    Order.notice_at,
    Refill.due_at,
    Cancellation.due_at,
    WebhookDelivery.due_at,
    Mail.due_at,
    TelegramMessage.due_at,
    Provider.call_after,
    Provider.add_after,
    CallSlot.lease_until,
    Provider.balance_due_at,
    Provider.import_due_at,
    CatalogueImport.due_at,
)


def pull_in(*, latest: datetime) -> int:
    """Pull later due times in to `latest`; returns how many. Heartbeats after it are deleted."""
    db.session.execute(delete(Heartbeat).where(Heartbeat.at > latest))
    return sum(
        execute_write(update(column.class_).where(column > latest).values({column: latest})) for column in COLUMNS
    )
