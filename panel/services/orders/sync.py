"""Order sync: polls providers, judges their reports by the table of reports, and applies them in batches."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select, update

from panel.db import db, lock_rows, table_of
from panel.db.compiled_statements import CompiledStatement, in_list
from panel.domain.provider_report import Report, Verdict, judge
from panel.domain.resale import UpstreamCharge
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import Cancellation, CancellationState, EventSource, Order, OrderRun, Provider, Review
from panel.providers.base import StatusRequest
from panel.services import customer_version, reviews
from panel.services.money import order_costs, run_costs
from panel.services.orders import runs, transitions
from panel.services.orders.transitions import Move, Note, OrderRow
from panel.services.providers import call_slots
from panel.services.providers import health as provider_health

BATCH = 100
# Polling interval of an order whose id makes the provider's answer fail.
SINGLED_OUT_WAIT = timedelta(minutes=5)
NO_USABLE_ANSWER = "The provider gives no usable answer about this order."
ORDERS = table_of(Order)


def lanes_wanted(*, now: datetime) -> dict[int, int]:
    """Callable providers with open orders due for polling, and how many batches may be requested concurrently."""
    due = select(Order.id).where(Order.provider_id == Provider.id, Order.sync_at <= now).exists()
    providers = db.session.scalars(select(Provider.id).where(due, *provider_health.callable_now(now)))
    return call_slots.lanes({provider_id: _batches_due(provider_id, now=now) for provider_id in providers})


def _batches_due(provider_id: int, *, now: datetime) -> int:
    due = select(Order.id).where(Order.provider_id == provider_id, Order.sync_at <= now)
    some = due.limit(BATCH * call_slots.MOST).subquery()
    return -(-(db.session.scalar(select(func.count()).select_from(some)) or 0) // BATCH)


_WAITING = (
    select(
        ORDERS.c.id,
        ORDERS.c.provider_order_id,
        ORDERS.c.provider_service,
        runs.PIECES,
        select(Cancellation.answered_at)
        .where(Cancellation.order_id == ORDERS.c.id, Cancellation.state == CancellationState.ACCEPTED)
        .order_by(Cancellation.id)
        .limit(1)
        .scalar_subquery(),
    )
    .where(
        ORDERS.c.provider_id == bindparam("provider_id"),
        ORDERS.c.sync_at <= bindparam("now"),
        ORDERS.c.provider_order_id.is_not(None),
    )
    .order_by(ORDERS.c.sync_at)
    .limit(bindparam("most"))
)
_DUE = CompiledStatement(lambda: lock_rows(_WAITING, of=ORDERS, skip_locked=True))
_NEXT = CompiledStatement(lambda: update(ORDERS).where(in_list(ORDERS.c.id, "ids")).values(sync_at=bindparam("next")))


def take_batch(provider_id: int, *, again_seconds: float, now: datetime) -> list[StatusRequest]:
    """Up to a hundred orders to poll now, with their next poll already scheduled, so that no two workers poll them."""
    rows = _DUE.fetch({"provider_id": provider_id, "now": now, "most": BATCH})
    if rows:
        _NEXT.execute([{"ids": [row[0] for row in rows], "next": now + timedelta(seconds=again_seconds)}])
    return [StatusRequest(*row) for row in rows]


def apply_reports(asked: Sequence[StatusRequest], reports: Mapping[int, Report], *, now: datetime) -> int:
    """Apply reports as far as the table allows; a missing report changes nothing. Returns how many orders moved."""
    received = {ask.order_id: reports[ask.order_id] for ask in asked if ask.order_id in reports}
    moves: list[Move] = []
    doubts: list[tuple[OrderRow, Report, Verdict]] = []
    orders = transitions.lock_orders(received).values()
    of_runs = _apply_to_runs([order for order in orders if order.has_runs], asked, received, moves, doubts, now=now)
    for order in orders:
        report = received[order.id]
        if order.has_runs:
            continue
        if report.is_error and not order.status.is_open:
            # Providers forget old orders.
            continue
        verdict = judge(report, order.standing)
        if verdict.changes(order.standing):
            moves.append(_move(order, report, verdict))
        if verdict.review is not None:
            doubts.append((order, report, verdict))
    transitions.apply_moves(moves, now=now)
    whole = {order.id for order in orders if not order.has_runs}
    charges = {key: report.charge for key, report in received.items() if report.charge is not None and key in whole}
    order_costs.record(charges, now=now)
    order_costs.record_runs({run.id: charge for run, charge in of_runs}, now=now)
    run_costs.sum_up([run.order_id for run, _charge in of_runs], now=now)
    for order, report, verdict in doubts:
        _doubt(order, report, verdict, now=now)
    return len(moves)


def _apply_to_runs(
    orders: Sequence[OrderRow],
    asked: Sequence[StatusRequest],
    received: Mapping[int, Report],
    moves: list[Move],
    doubts: list[tuple[OrderRow, Report, Verdict]],
    *,
    now: datetime,
) -> list[tuple[OrderRun, UpstreamCharge]]:
    """Apply reports about the current runs of drip-feed orders: adds the orders' moves and doubts to the lists.

    Returns what the provider charged for runs.
    """
    charges: list[tuple[OrderRun, UpstreamCharge]] = []
    numbers = {ask.order_id: ask.provider_order_id for ask in asked}
    found = runs.of_orders([order.id for order in orders])
    for order in orders:
        run, report = runs.current(found[order.id]), received[order.id]
        # An answer about an earlier run is no news.
        if run is None or run.provider_order_id is None or run.provider_order_id != numbers[order.id]:
            continue
        if report.charge is not None:
            charges.append((run, report.charge))
        verdict = judge(report, runs.progress(run))
        if verdict.review is not None:
            doubts.append((order, report, verdict))
        if verdict.changes(runs.progress(run)):
            outcome = runs.apply_verdict(order, found[order.id], verdict, now=now)
            if outcome.is_over:
                transitions.set_schedule(order, provider_order_id=None, sync_at=None, dispatch_at=outcome.next_at)
            move = _move_of_run(order, report, verdict, outcome)
            moves.extend(move)
            if not move:
                # The order's page shows its runs.
                customer_version.bump([order.customer_id])
    return charges


def _move_of_run(order: OrderRow, report: Report, verdict: Verdict, outcome: runs.RunResult) -> list[Move]:
    start = verdict.start_count if order.start_count is None else order.start_count
    after = (outcome.to, outcome.remains, start)
    if not outcome.is_over and after == (order.status, order.remains, order.start_count):
        return []
    given = report.reason if verdict.to is Status.CANCELED else ""
    text = f"{outcome.text} {given}".strip()
    reason = given or None if outcome.to is Status.CANCELED else None
    move = Move(order, *after, source=EventSource.PROVIDER, text=text, reason=reason)
    return [move]


def single_out(ask: StatusRequest, why: str, *, now: datetime) -> None:
    """Single out an order that makes the provider's answer fail: open a review and poll it less often."""
    order = transitions.lock_order(ask.order_id)
    text = NO_USABLE_ANSWER
    is_new = reviews.open_report(
        ReviewKind.REPORT, order_id=order.id, provider_id=order.provider_id, text=text, raw=why[:200], now=now
    )
    if order.status.is_open:
        transitions.set_schedule(order, sync_at=now + SINGLED_OUT_WAIT)
        if is_new:
            sentence = f"{text} Nothing was changed; an operator will look."
            transitions.add_notes([Note(order, sentence, source=EventSource.PROVIDER, raw=why[:200])], now=now)


def was_singled_out(order_id: int) -> bool:
    """Whether this order is singled out, so that a failure of it alone doesn't count against the provider."""
    found = select(Review.id).where(
        Review.order_id == order_id, Review.kind == ReviewKind.REPORT, Review.text.startswith(NO_USABLE_ANSWER)
    )
    return db.session.scalar(found.limit(1)) is not None


def _move(order: OrderRow, report: Report, verdict: Verdict) -> Move:
    reason = report.reason if verdict.to is Status.CANCELED and report.reason else None
    return Move(
        order,
        verdict.to,
        verdict.remains,
        start_count=verdict.start_count,
        source=EventSource.PROVIDER,
        text=reason or "",
        reason=reason,
    )


def _doubt(order: OrderRow, report: Report, verdict: Verdict, *, now: datetime) -> None:
    """Open a review, with a cap per order; a report that changed nothing also gets one note in the timeline."""
    is_new = reviews.open_report(
        ReviewKind.REPORT,
        order_id=order.id,
        provider_id=order.provider_id,
        text=verdict.review or "",
        raw=report.raw,
        now=now,
    )
    if is_new and verdict.is_bad:
        text = "The provider sent a report that does not fit this order. Nothing was changed; an operator will look."
        transitions.add_notes([Note(order, text, source=EventSource.PROVIDER, raw=report.raw)], now=now)
