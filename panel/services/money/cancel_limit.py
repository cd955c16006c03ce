"""Cancellation limit of support: what orders that one person of support canceled return in 24 hours.

Support moves no money, but a cancellation returns the order's charge. It may return as much as one operator may move
without approval. Owners and operators have no such limit.
"""

from datetime import datetime

from sqlalchemy import func, select, union_all

from panel import app_context
from panel.db import db, table_of
from panel.domain import money
from panel.domain.accounts.roles import Role
from panel.domain.errors import ActionRefused
from panel.models import AuditLogEntry, EmailChange, Order, User
from panel.services.money import approval_limit

ORDERS = table_of(Order)
ACTION = "orders cancel"


def lock(order_id: int, *, operator_id: int) -> None:
    """Lock the accounts of the customer and of this operator, whose requests then wait for each other."""
    owner = db.session.scalar(select(Order.customer_id).where(Order.id == order_id))
    if owner is not None:
        approval_limit.lock(owner, operator_id=operator_id)


def check(charge_nanos: int, *, operator_id: int, now: datetime) -> None:
    """Raises Refused if support would return more than the limit by canceling an order with this charge."""
    role = db.session.scalar(select(User.role).where(User.id == operator_id))
    if role != Role.SUPPORT:
        return
    settings = app_context.settings()
    limit = settings.second_operator_amount * money.NANOS_PER_UNIT
    returned = _returned(operator_id, now=now)
    if returned + charge_nanos > limit:
        raise ActionRefused(
            f"With your role, canceled orders return at most {app_context.money_text(limit)} in 24 "
            f"hours. So far it is {app_context.money_text(returned)}. An operator can cancel this one."
        )


def _returned(operator_id: int, *, now: datetime) -> int:
    """Sum that this person's cancellations returned, under the present email and those before it."""
    emails = union_all(
        select(User.email).where(User.id == operator_id),
        select(EmailChange.old_email).where(EmailChange.user_id == operator_id),
    )
    mine = (
        AuditLogEntry.actor.in_(emails),
        AuditLogEntry.action == ACTION,
        AuditLogEntry.at > now - approval_limit.WINDOW,
    )
    subjects = db.session.scalars(select(AuditLogEntry.subject).where(*mine)).all()
    order_ids = [int(subject.removeprefix("order ")) for subject in subjects]
    total = select(func.coalesce(func.sum(ORDERS.c.charge_nanos), 0)).where(ORDERS.c.id.in_(order_ids))
    return int(db.session.scalar(total) or 0)
