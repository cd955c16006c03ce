"""Due times of all sweeps: when the next one comes, and how a clock that was set back doesn't keep them waiting."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from panel.db import db, execute_write
from panel.models import (
    CallSlot,
    Cancellation,
    CatalogueImport,
    Heartbeat,
    Mail,
    Maintenance,
    Order,
    PaymentEvent,
    Provider,
    Refill,
    ScheduledTerms,
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

# Each provider's own first one, as the indexes have them, not the first of all orders that are open.
_OF_PROVIDERS = (Order.dispatch_at, Order.sync_at, Order.recheck_at)
# `notice_at` has no index by time: an email whose time comes while nothing happens waits for the next regular run.
_OTHERS = (
    *(column for column in COLUMNS if column.class_ is not Order),
    Maintenance.ends_at,
    ScheduledTerms.effective_at,
    PaymentEvent.due_at,
)
_AFTER = bindparam("after", type_=Order.dispatch_at.type)


def _first_of_providers(column: InstrumentedAttribute[Any]) -> ColumnElement[datetime]:
    first = select(func.min(column)).where(Order.provider_id == Provider.id, column > _AFTER).scalar_subquery()
    return select(func.min(first)).select_from(Provider).scalar_subquery()


_NEXT = select(
    *map(_first_of_providers, _OF_PROVIDERS),
    *(select(func.min(column)).where(column > _AFTER).scalar_subquery() for column in _OTHERS),
)


def next_after(after: datetime) -> datetime | None:
    """When the next row falls due after this time; None if nothing is."""
    found = db.session.execute(_NEXT, {"after": after}).one()
    return min((each for each in found if each is not None), default=None)


def pull_in(*, latest: datetime) -> int:
    """Pull later due times in to `latest`; returns how many. Heartbeats after it are deleted."""
    db.session.execute(delete(Heartbeat).where(Heartbeat.at > latest))
    return sum(
        execute_write(update(column.class_).where(column > latest).values({column: latest})) for column in COLUMNS
    )
