"""Runs of drip-feed orders: planned when the order is placed, sent one after the other, and summed up in the order.

The order itself always has the provider's number, due times and attempt of its current run, so that one run is sent
and polled as any order is. A run begins when it is due and the one before has ended: two runs for one link at the same
time would count each other's deliveries, and providers refuse them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, bindparam, func, insert, literal_column, select

from panel.db import db, table_of
from panel.db.compiled_statements import CompiledStatement
from panel.domain.forms import drip_feed
from panel.domain.forms.drip_feed import DripFeed
from panel.domain.provider_report import OrderProgress, Verdict
from panel.domain.status import FIRST, Status
from panel.models import Cancellation, Order, OrderRun
from panel.services.money import run_costs
from panel.services.orders.transitions import OrderRow

UNCONFIRMED_RUN = (
    "The provider has not confirmed that it received the next run of this order. It is not sent again automatically: "
    "either it is confirmed, or the order ends and what was not delivered goes back to your balance."
)
RUNS = table_of(OrderRun)
ORDERS = table_of(Order)

# The pieces of one run, or of the order: what the provider is asked for.
PIECES: Any = func.coalesce(
    select(RUNS.c.quantity)
    .where(RUNS.c.order_id == ORDERS.c.id, RUNS.c.number == literal_column("1"))
    .correlate(ORDERS)
    .scalar_subquery(),
    ORDERS.c.quantity,
)
HAS_RUNS: Any = select(RUNS.c.id).where(RUNS.c.order_id == ORDERS.c.id).correlate(ORDERS).exists()


def _with_number(table: Table) -> CompiledStatement:
    is_this = (table.c.provider_id == bindparam("provider_id"), table.c.provider_order_id == bindparam("number"))
    return CompiledStatement(lambda: select(table.c.id).where(*is_this).limit(literal_column("1")))


_WITH_NUMBER = [_with_number(table) for table in (ORDERS, RUNS)]


@dataclass(frozen=True, slots=True)
class RunResult:
    """Effect of a run's report on its order, and when the next run is due; None if this run goes on or was the last.

    `is_over`: whether the run has ended.
    """

    to: Status
    remains: int
    text: str
    is_over: bool
    next_at: datetime | None


def plan(order_id: int, drip: DripFeed, *, quantity: int, provider_id: int, now: datetime) -> None:
    """Plan the runs of a new order of this quantity; the first one is due now."""
    pieces = quantity // drip.runs
    rows = [
        {
            "order_id": order_id,
            "number": number + 1,
            "quantity": pieces,
            "due_at": now + drip.interval * number,
            "status": FIRST,
            "remains": pieces,
            "provider_id": provider_id,
        }
        for number in range(drip.runs)
    ]
    db.session.execute(insert(RUNS), rows)


def of_order(order_id: int) -> list[OrderRun]:
    """The runs by number; empty without drip-feed."""
    return of_orders([order_id]).get(order_id, [])


def of_orders(order_ids: Iterable[int]) -> dict[int, list[OrderRun]]:
    """The runs by order. They change only while the order is locked."""
    found: dict[int, list[OrderRun]] = {}
    ids = list(order_ids)
    if ids:
        runs = select(OrderRun).where(OrderRun.order_id.in_(ids)).order_by(OrderRun.order_id, OrderRun.number)
        for run in db.session.scalars(runs.execution_options(populate_existing=True)):
            found.setdefault(run.order_id, []).append(run)
    return found


def current(runs: Sequence[OrderRun]) -> OrderRun | None:
    """The run that is at the provider or is sent next."""
    return next((run for run in runs if run.ended_at is None), None)


def can_be_sent(order: OrderRow) -> bool:
    """Whether the order, or its next run, may still be sent: its own status shows what runs before it did."""
    return order.status is Status.PENDING or (
        order.has_runs and order.status.is_open and order.provider_order_id is None
    )


def is_provider_id_taken(provider_id: int, given: str) -> bool:
    """Whether another order, or a run, at this provider already has this provider order id."""
    return any(each.fetch({"provider_id": provider_id, "number": given}) for each in _WITH_NUMBER)


def mark_sent(order: OrderRow, *, given: str, now: datetime) -> str:
    """Record that the provider has the current run; later ones keep their distance. Returns the timeline's text."""
    runs = of_order(order.id)
    run = current(runs)
    if run is None:
        raise ValueError(f"order {order.id} has no run to send")
    # Fail-over may have passed the order on since it was planned.
    run.provider_id, run.provider_order_id, run.sent_at = order.provider_id, given, now
    _postpone(runs, late=now - run.due_at)
    db.session.flush()
    return f"Run {run.number} of {len(runs)} was sent to the provider."


def progress(run: OrderRun) -> OrderProgress:
    return OrderProgress(Status(run.status), run.quantity, run.remains, run.start_count)


def apply_verdict(order: OrderRow, runs: Sequence[OrderRun], verdict: Verdict, *, now: datetime) -> RunResult:
    """Write what the provider reported of the current run, and sum up the order."""
    run = current(runs)
    if run is None:
        raise ValueError(f"no run of order {order.id} is open")
    run.status, run.remains, run.start_count = verdict.to, verdict.remains, verdict.start_count
    if verdict.to.is_open:
        remains = _remains(runs)
        to = drip_feed.going_on(order.status, verdict.to, is_counted=remains < order.quantity)
        db.session.flush()
        return RunResult(to, remains, "", is_over=False, next_at=None)
    run.ended_at = now
    text = f"Run {run.number} of {len(runs)} ended as {verdict.to.label}."
    following = current(runs)
    if following is None or _is_stopped(order.id):
        to, remains = end(order, now=now)
        return RunResult(to, remains, text, is_over=True, next_at=None)
    _postpone(runs, late=now - following.due_at)
    remains = _remains(runs)
    to = drip_feed.going_on(order.status, verdict.to, is_counted=remains < order.quantity)
    db.session.flush()
    return RunResult(to, remains, text, is_over=True, next_at=following.due_at)


def end(order: OrderRow, *, now: datetime) -> tuple[Status, int]:
    """End all runs that haven't ended: nothing more is delivered. Returns the order's final status and remains.

    An order without runs is Canceled.
    """
    if not order.has_runs:
        return Status.CANCELED, order.quantity
    runs = of_order(order.id)
    for run in runs:
        if run.ended_at is None:
            run.status, run.remains, run.ended_at = Status.CANCELED, run.quantity, now
    db.session.flush()
    run_costs.sum_up([order.id], now=now)
    remains = _remains(runs)
    return drip_feed.end_of(quantity=order.quantity, remains=remains), remains


def _postpone(runs: Sequence[OrderRun], *, late: timedelta) -> None:
    """Move all runs that haven't ended, so that they keep their distances."""
    for run in runs:
        if run.ended_at is None:
            run.due_at += max(late, timedelta(0))


def _remains(runs: Sequence[OrderRun]) -> int:
    return sum(drip_feed.undelivered(progress(run)) for run in runs)


def _is_stopped(order_id: int) -> bool:
    """Whether the customer asked to cancel the order, whatever the provider answered about the run that it had."""
    asked = select(Cancellation.id).where(Cancellation.order_id == order_id).limit(1)
    return db.session.scalar(asked) is not None
