"""Assignments of manual orders: one operator at a time, until it is released or half an hour has passed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from panel.db import db, execute_write, table_of, upsert
from panel.domain import formatting
from panel.domain.errors import ActionRefused
from panel.domain.provider_kind import ProviderKind
from panel.models import OrderAssignment, Provider, User
from panel.services import audit_log
from panel.services.orders import transitions

LASTS = timedelta(minutes=30)
ASSIGNMENTS = table_of(OrderAssignment)


@dataclass(frozen=True, slots=True)
class Held:
    """A current assignment of an order."""

    order_id: int
    operator_id: int
    operator: str
    until: datetime


def assignments_of(order_ids: Sequence[int], *, now: datetime) -> dict[int, Held]:
    """Current assignments by order id."""
    rows = db.session.execute(
        select(OrderAssignment.order_id, OrderAssignment.operator_id, User.email, OrderAssignment.until)
        .join(User, User.id == OrderAssignment.operator_id)
        .where(OrderAssignment.order_id.in_(order_ids), OrderAssignment.until > now)
    )
    return {row[0]: Held(*row) for row in rows}


def assignment_of(order_id: int, *, now: datetime) -> Held | None:
    return assignments_of([order_id], now=now).get(order_id)


def assign(order_id: int, *, operator_id: int, actor: str, now: datetime) -> None:
    """Assign the order to this operator for half an hour, or extend it. Raises NotFound or Refused."""
    order = transitions.lock_order(order_id)
    if not is_by_hand(order.provider_id):
        raise ActionRefused(f"Order {order_id} is delivered by a provider. Only manual orders can be assigned.")
    if not order.status.is_moving:
        raise ActionRefused(f"Order {order_id} has ended as {order.status.label}. Nothing is left to do.")
    check_unassigned(order_id, operator_id=operator_id, now=now)
    write_assignment(order_id, operator_id=operator_id, now=now)
    audit_log.write("orders claim", actor=actor, subject=f"order {order_id}", now=now)


def write_assignment(order_id: int, *, operator_id: int, now: datetime) -> None:
    """Write the assignment, in a transaction that has locked the order."""
    add = upsert(ASSIGNMENTS).values(order_id=order_id, operator_id=operator_id, assigned_at=now, until=now + LASTS)
    db.session.execute(
        add.on_conflict_do_update(
            index_elements=["order_id"],
            set_={"operator_id": operator_id, "assigned_at": now, "until": now + LASTS},
        )
    )


def check_unassigned(order_id: int, *, operator_id: int, now: datetime) -> None:
    """Raise Refused while the order is assigned to another operator."""
    held = assignment_of(order_id, now=now)
    if held is not None and held.operator_id != operator_id:
        raise ActionRefused(
            f"{held.operator} is working on order {order_id}, until {formatting.when(held.until)} or its release."
        )


def release(order_id: int, *, operator_id: int, actor: str, now: datetime) -> None:
    """Release the order. Raises NotFound, or Refused if it is assigned to another operator; releasing twice is fine."""
    transitions.lock_order(order_id)
    check_unassigned(order_id, operator_id=operator_id, now=now)
    if end(order_id):
        audit_log.write("orders release", actor=actor, subject=f"order {order_id}", now=now)


def end(order_id: int) -> bool:
    """Remove the assignment; returns whether there was one."""
    return execute_write(delete(ASSIGNMENTS).where(ASSIGNMENTS.c.order_id == order_id)) == 1


def is_by_hand(provider_id: int) -> bool:
    """Whether this provider delivers by hand."""
    return db.session.scalar(select(Provider.kind).where(Provider.id == provider_id)) == ProviderKind.MANUAL
