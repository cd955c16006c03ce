"""Rechecks of ended orders, at growing intervals, to notice providers that contradict a final status.

A recheck changes nothing: as for any report, a contradiction opens a review.
"""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update

from panel.db import db, lock_rows, table_of
from panel.domain.provider_kind import ProviderKind
from panel.models import Order, Provider, Terms
from panel.providers.base import StatusRequest
from panel.services.orders.transitions import RECHECK_AFTER
from panel.services.providers import health as provider_health

BATCH = 100
MIN_WINDOW = timedelta(days=30)

ORDERS = table_of(Order)


def providers_with_work(*, now: datetime) -> list[int]:
    """Callable upstream panels with ended orders to recheck."""
    due = select(Order.id).where(Order.provider_id == Provider.id, Order.recheck_at <= now).exists()
    upstream = (Provider.kind == ProviderKind.PANEL_API, *provider_health.callable_now(now))
    return list(db.session.scalars(select(Provider.id).where(due, *upstream)))


def take_batch(provider_id: int, *, now: datetime) -> list[StatusRequest]:
    """Up to a hundred ended orders to recheck now. Each waits as long as the order has been over."""
    due = (
        select(
            Order.id,
            Order.provider_order_id,
            Order.provider_service,
            Order.quantity,
            Order.ended_at,
            Terms.refill_days,
        )
        .join(Terms, Terms.id == Order.terms_id)
        .where(Order.provider_id == provider_id, Order.recheck_at <= now)
        .order_by(Order.recheck_at)
        .limit(BATCH)
    )
    rows = db.session.execute(lock_rows(due, of=Order, skip_locked=True)).all()
    if rows:
        later = update(ORDERS).where(ORDERS.c.id == bindparam("order_id")).values(recheck_at=bindparam("next"))
        values = [{"order_id": row.id, "next": next_at(row.ended_at, row.refill_days, now=now)} for row in rows]
        db.session.connection().execute(later, values)
    return [StatusRequest(row.id, row.provider_order_id or "", row.provider_service, row.quantity) for row in rows]


def next_at(ended_at: datetime | None, refill_days: int | None, *, now: datetime) -> datetime | None:
    """Time of the next recheck; None once the refill window, or 30 days, are over."""
    if ended_at is None:
        return None
    last = ended_at + max(timedelta(days=refill_days or 0), MIN_WINDOW)
    if now >= last:
        return None
    return min(now + max(now - ended_at, RECHECK_AFTER), last)
