"""Bulk insert of ended orders with events, transfers, attempts and refills, each with its own timestamp.

For history written in one go, such as the demo's. The rules are those of `transitions`: a step that is not an allowed
transition is refused, and `refunds` divides the money.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert

from panel.db import db
from panel.domain.errors import IllegalTransition
from panel.domain.refill import RefillState
from panel.domain.status import FIRST, Status
from panel.models import (
    AccountKind,
    Attempt,
    AttemptKind,
    AttemptState,
    EventKind,
    EventSource,
    Order,
    Refill,
    TransferKind,
)
from panel.services import customer_version
from panel.services.catalogue.tools import ToolOffer
from panel.services.money import ledger
from panel.services.money.ledger import Posting
from panel.services.orders import event_chain, refunds

LEASE = timedelta(seconds=60)
# Columns of an order's state, which its events repeat.
_STATE = ("status", "remains", "start_count", "kept_nanos", "returned_nanos", "version")


@dataclass(frozen=True)
class PastStep:
    """A timeline event after the first: a move, a new count (same status), or a note (no status)."""

    at: datetime
    to: Status | None
    remains: int = 0
    start_count: int | None = None
    source: EventSource = EventSource.PROVIDER
    text: str = ""


@dataclass(frozen=True)
class PastRefill:
    """A completed refill; its moves are among the order's steps."""

    asked_at: datetime
    accepted_at: datetime
    running_at: datetime
    ended_at: datetime


@dataclass(frozen=True)
class PastOrder:
    """An order from placing to its final status. `handed_over_at`: time of acceptance; None for manual orders."""

    customer_id: int
    offer: ToolOffer
    link: str
    quantity: int
    request_id: str
    placed_at: datetime
    handed_over_at: datetime | None
    provider_order_id: str | None
    steps: tuple[PastStep, ...]
    refill: PastRefill | None = None


@dataclass(frozen=True)
class _Row:
    """An order's row, events and transfers before it has an id."""

    order: PastOrder
    values: dict[str, Any]
    events: list[dict[str, Any]]
    ended: Status
    # The step that settled the money, with its status and remains.
    settled: PastStep | None


def insert_orders(orders: Sequence[PastOrder], *, postings: Sequence[Posting] = ()) -> list[int]:
    """Insert the orders, oldest first, with their transfers and these, sorted by time; returns the order ids.

    Raises IllegalTransition for a step that is not allowed, and InsufficientBalance.
    """
    if not orders:
        return []
    rows = [_row(order) for order in orders]
    statement = insert(Order).returning(Order.id, sort_by_parameter_order=True)
    ids = list(db.session.scalars(statement, [row.values for row in rows]))
    transfers = list(postings)
    for order_id, row in zip(ids, rows, strict=True):
        transfers += _transfers(order_id, row)
    events = [event | {"order_id": order_id} for order_id, row in zip(ids, rows, strict=True) for event in row.events]
    event_chain.start(ids)
    event_chain.append(events)
    ledger.post(sorted(transfers, key=_moment), now=_moment(max(transfers, key=_moment)))
    _insert_attempts(ids, orders)
    customer_version.count_orders(Counter((row.order.customer_id, row.ended) for row in rows))
    customer_version.bump({order.customer_id for order in orders})
    return ids


def _moment(posting: Posting) -> datetime:
    if posting.at is None:
        raise ValueError("a transfer of the past has a time of its own")
    return posting.at


def _row(order: PastOrder) -> _Row:
    """Replay the steps, each a move, a count or a note."""
    state: dict[str, Any] = dict(zip(_STATE, (FIRST, order.quantity, None, 0, 0, 1), strict=True))
    times: dict[str, datetime | None] = dict.fromkeys(("started_at", "completed_at", "ended_at"))
    events = [
        _event(EventKind.PLACED, EventSource.YOU, None, state, text="Order placed and charged.", at=order.placed_at)
    ]
    settled: PastStep | None = None
    for step in order.steps:
        before: Status = state["status"]
        if step.to is None:
            events.append(_event(EventKind.NOTED, step.source, before, state, text=step.text, at=step.at))
            continue
        if step.to is not before and not before.may_become(step.to):
            raise IllegalTransition(f"A past order cannot go from {before.label} to {step.to.label}.")
        state |= {"status": step.to, "remains": step.remains, "start_count": step.start_count}
        state["version"] += 1
        if settled is None and not step.to.is_open:
            settled = step
            state |= _settled(order, step)
        _note_times(times, step)
        kind = EventKind.COUNTED if step.to is before else EventKind.MOVED
        events.append(_event(kind, step.source, before, state, text=step.text, at=step.at))
    return _Row(order, _values(order, state, times, settled), events, state["status"], settled)


def _note_times(times: dict[str, datetime | None], step: PastStep) -> None:
    if step.to in (Status.IN_PROGRESS, Status.COMPLETED, Status.PARTIAL):
        times["started_at"] = times["started_at"] or step.at
    if step.to is Status.COMPLETED:
        times["completed_at"] = times["completed_at"] or step.at
    if step.to is not None and not step.to.is_open:
        times["ended_at"] = times["ended_at"] or step.at


def _charge(order: PastOrder, *, order_id: int = 0) -> refunds.Charge:
    price = order.offer.price_micros_per_thousand
    return refunds.Charge(order_id, order.customer_id, order.quantity, price, settled_nanos=0)


def _settled(order: PastOrder, step: PastStep) -> dict[str, int]:
    assert step.to is not None
    settlement, _ = refunds.settlement_of(_charge(order), to=step.to, remains=step.remains)
    assert settlement is not None
    return {"kept_nanos": settlement.kept_nanos, "returned_nanos": settlement.returned_nanos}


def _event(
    kind: EventKind, source: EventSource, before: Status | None, state: dict[str, Any], *, text: str, at: datetime
) -> dict[str, Any]:
    return {"kind": kind, "source": source, "old_status": before, **state, "text": text, "raw": "", "at": at}


def _values(
    order: PastOrder, state: dict[str, Any], times: dict[str, datetime | None], settled: PastStep | None
) -> dict[str, Any]:
    offer = order.offer
    return {
        "customer_id": order.customer_id,
        "tool_id": offer.tool_id,
        "terms_id": offer.terms_id,
        "link": order.link,
        "quantity": order.quantity,
        "price_micros_per_thousand": offer.price_micros_per_thousand,
        "charge_nanos": offer.charge_nanos(order.quantity),
        "request_id": order.request_id,
        "placed_at": order.placed_at,
        "reason": settled.text if settled and settled.to is Status.CANCELED else "",
        "provider_id": offer.provider_id,
        "provider_service": offer.provider_service,
        "provider_order_id": order.provider_order_id,
        **state,
        **times,
    }


def _transfers(order_id: int, row: _Row) -> list[Posting]:
    order = row.order
    charge_nanos = order.offer.charge_nanos(order.quantity)
    reason = f"{TransferKind.CHARGE}:order:{order_id}"
    charge = Posting(order.customer_id, AccountKind.HOLDS, charge_nanos, TransferKind.CHARGE, reason, order_id)
    transfers = [replace(charge, at=order.placed_at)]
    if row.settled is not None and row.settled.to is not None:
        of_order = _charge(order, order_id=order_id)
        _, settling = refunds.settlement_of(of_order, to=row.settled.to, remains=row.settled.remains)
        transfers += [replace(posting, at=row.settled.at) for posting in settling]
    return transfers


def _insert_attempts(ids: Sequence[int], orders: Sequence[PastOrder]) -> None:
    """Insert the dispatch and refill attempts, and the refills."""
    attempts, tasks = [], []
    for order_id, order in zip(ids, orders, strict=True):
        if order.handed_over_at is not None:
            attempts.append(_attempt(order_id, order, AttemptKind.ADD, at=order.handed_over_at))
        if order.refill is not None:
            attempts.append(_attempt(order_id, order, AttemptKind.REFILL, at=order.refill.accepted_at))
            tasks.append(_refill(order_id, order.refill))
    if attempts:
        db.session.execute(insert(Attempt), attempts)
    if tasks:
        db.session.execute(insert(Refill), tasks)


def _attempt(order_id: int, order: PastOrder, kind: AttemptKind, *, at: datetime) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "provider_id": order.offer.provider_id,
        "kind": kind,
        "state": AttemptState.SENT,
        "at": at,
        "lease_until": at + LEASE,
        "answered_at": at,
        "answer": order.provider_order_id or "",
    }


def _refill(order_id: int, refill: PastRefill) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "state": RefillState.COMPLETED,
        "asked_at": refill.asked_at,
        "accepted_at": refill.accepted_at,
        "running_at": refill.running_at,
        "ended_at": refill.ended_at,
        "provider_refill_id": f"refill-{order_id}-{int(refill.accepted_at.timestamp() * 1000)}",
        "reason": "",
    }
