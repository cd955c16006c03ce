"""Mails about incidents and planned work, to customers who use the affected tools: when it begins, when it is over."""

from datetime import datetime, timedelta

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.domain.accounts.roles import Role
from panel.domain.notification_kinds import Notice
from panel.models import Incident, Order, User
from panel.services.mail import notifications
from panel.services.orders import history
from panel.services.platform import components, incident_notices, incident_reads
from panel.services.platform.incident_notices import OpenIncident
from panel.services.platform.incident_reads import IncidentWithUpdates

MAILS_AT_ONCE = 200
# Customers without an order in this time are not waiting for anything.
ORDERED_WITHIN = timedelta(days=30)
# News that the worker could not queue in this time is no news any more.
NEWS_FOR = timedelta(hours=24)


def is_any_to_mail() -> bool:
    """Whether mails about an incident are still to be queued."""
    return db.session.scalar(select(Incident.id).where(Incident.mailed_up_to.is_not(None)).limit(1)) is not None


def queue_mails(*, now: datetime) -> int:
    """Queue mails about one incident to the next customers, in the order of their ids; returns how many looked at.

    The mails' keys name incident, customer and whether it is over: whatever is repeated, each gets one of each.
    """
    waiting = select(Incident).where(Incident.mailed_up_to.is_not(None)).order_by(Incident.id).limit(1)
    found: Incident | None = db.session.scalar(lock_rows(waiting, skip_locked=True))
    if found is None or found.mailed_up_to is None:
        return 0
    incident = incident_reads.any_of(found.id)
    if now - incident.changed_at > NEWS_FOR:
        found.mailed_up_to = None
        db.session.flush()
        return 0
    is_customer = (User.id > found.mailed_up_to, User.role == Role.CUSTOMER, User.closed_at.is_(None))
    user_ids = db.session.scalars(select(User.id).where(*is_customer).order_by(User.id).limit(MAILS_AT_ONCE)).all()
    scope = incident_notices.with_all_parts(incident)
    for user_id in user_ids:
        if _concerns(user_id, scope, now=now):
            _notify(user_id, incident, now=now)
    found.mailed_up_to = user_ids[-1] if len(user_ids) == MAILS_AT_ONCE else None
    db.session.flush()
    return len(user_ids)


def _concerns(user_id: int, scope: OpenIncident, *, now: datetime) -> bool:
    newest = select(Order.placed_at).where(Order.customer_id == user_id).order_by(Order.id.desc()).limit(1)
    placed_at = db.session.scalar(newest)
    if placed_at is None or placed_at < now - ORDERED_WITHIN:
        return False
    return scope.concerns_all or any(map(scope.delays, history.providers_used(user_id)))


def _notify(user_id: int, incident: IncidentWithUpdates, *, now: datetime) -> None:
    known = components.labels()
    notifications.notify(
        user_id,
        Notice.INCIDENT,
        key=f"incident:{incident.id}:{user_id}:{'begun' if incident.is_open else 'over'}",
        now=now,
        incident=incident,
        affected=", ".join(components.label_of(key, known=known) for key in incident.named),
        paragraphs=incident.updates[0].text.split("\n"),
    )
