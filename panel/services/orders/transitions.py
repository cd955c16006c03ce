"""Order transitions, the only code that changes orders: event, money, counters and the customer's version together.

A change is a Move. A batch of moves takes a fixed number of statements, each executed once for all rows, however many
orders a sync returns.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, literal_column, null, select, update

from panel.db import chain_heads, db, lock_rows, table_of
from panel.db.compiled_statements import CompiledStatement, in_list, pipeline
from panel.domain.errors import IllegalTransition, NotFound, StaleOrder
from panel.domain.provider_report import OrderProgress
from panel.domain.status import Status
from panel.models import Cancellation, EventKind, EventSource, Order, OrderRun
from panel.services import customer_version, webhooks
from panel.services.mail import notifications
from panel.services.money import ledger
from panel.services.money.ledger import Posting
from panel.services.orders import cancellations_on_end, event_chain, refunds
from panel.services.webhooks import Moved

ORDERS = table_of(Order)
CANCELLATIONS = table_of(Cancellation)
# First recheck after an order ends, and the shortest interval between two rechecks.
RECHECK_AFTER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as read while its customer's account is locked."""

    id: int
    customer_id: int
    status: Status
    quantity: int
    remains: int
    start_count: int | None
    price_micros_per_thousand: int
    charge_nanos: int
    kept_nanos: int
    returned_nanos: int
    reason: str
    version: int
    started_at: datetime | None
    completed_at: datetime | None
    ended_at: datetime | None
    provider_id: int
    provider_order_id: str | None
    is_package: bool
    # Whether it is a drip-feed, and whether a cancellation request is open.
    has_runs: bool
    is_asked_to_stop: bool
    # Whether the customer has a webhook endpoint to notify.
    is_watched: bool
    account_id: int

    @property
    def standing(self) -> OrderProgress:
        return OrderProgress(self.status, self.quantity, self.remains, self.start_count, self.is_package)


@dataclass(frozen=True)
class Move:
    """A change of an order: the new status and counts, their source, and the text for the timeline."""

    order: OrderRow
    to: Status
    remains: int
    start_count: int | None = None
    source: EventSource = EventSource.US
    text: str = ""
    raw: str = ""
    reason: str | None = None


_COLUMNS = [ORDERS.c[name] for name in OrderRow.__slots__ if name in ORDERS.c]
_ASKED = (CANCELLATIONS.c.order_id == ORDERS.c.id, CANCELLATIONS.c.state == literal_column("'asked'"))
_IS_ASKED = select(CANCELLATIONS.c.id).where(*_ASKED).exists()
_HAS_RUNS = select(OrderRun.id).where(OrderRun.order_id == ORDERS.c.id).exists()
_IS_WATCHED = webhooks.is_watched(ORDERS.c.customer_id)
_CLAIMED = select(*_COLUMNS, _HAS_RUNS, _IS_ASKED, _IS_WATCHED, ORDERS.c.chain_hash).order_by(ORDERS.c.id)
_ROWS = CompiledStatement(lambda: lock_rows(_CLAIMED.where(in_list(ORDERS.c.id, "ids")), of=ORDERS))


def lock_orders(order_ids: Collection[int]) -> dict[int, OrderRow]:
    """Lock these orders until the transaction ends, and read them; unknown ids are left out.

    Lock order: the customers' accounts first, then the orders' rows. Dispatch locks only the latter.
    """
    accounts = ledger.lock_accounts_of(order_ids)
    rows = _ROWS.fetch({"ids": list(order_ids)})
    chain_heads(ORDERS).update({row[0]: row[-1] for row in rows})
    return {row[0]: OrderRow(row[0], row[1], Status(row[2]), *(*row[3:-1], accounts[row[1]])) for row in rows}


def read_order(order_id: int) -> OrderRow | None:
    """Read the order without a lock: to display what could be done, never to do it."""
    row: Any = db.session.execute(_CLAIMED.where(ORDERS.c.id == order_id)).first()
    return None if row is None else OrderRow(row[0], row[1], Status(row[2]), *(*row[3:-1], 0))


def lock_order(order_id: int) -> OrderRow:
    """As `lock_orders`, for one order. Raises NotFound."""
    row = lock_orders([order_id]).get(order_id)
    if row is None:
        raise NotFound(f"There is no order {order_id}.")
    return row


def move_order(
    order: OrderRow,
    to: Status,
    *,
    remains: int,
    source: EventSource = EventSource.US,
    text: str = "",
    reason: str | None = None,
    now: datetime,
) -> None:
    """Move one order: `apply_moves` for a batch of one. Raises IllegalTransition or StaleOrder."""
    move = Move(order, to, remains, start_count=order.start_count, source=source, text=text, reason=reason)
    apply_moves([move], now=now)


_CHANGE = (
    update(ORDERS)
    .where(ORDERS.c.id == bindparam("b_id"), ORDERS.c.version == bindparam("b_version"))
    .values(
        status=bindparam("b_status"),
        remains=bindparam("b_remains"),
        start_count=bindparam("b_start_count"),
        kept_nanos=bindparam("b_kept_nanos"),
        returned_nanos=bindparam("b_returned_nanos"),
        reason=bindparam("b_reason"),
        version=ORDERS.c.version + literal_column("1"),
        started_at=bindparam("b_started_at"),
        completed_at=bindparam("b_completed_at"),
        ended_at=bindparam("b_ended_at"),
        chain_hash=bindparam("b_chain_hash"),
    )
)
# Nothing more is due for an order that ends, except an email and the rechecks.
_UNDUE = {"dispatch_at": null(), "sync_at": null(), "unconfirmed_at": null()}
_RECHECK_AT = case(
    (ORDERS.c.provider_order_id.is_not(None), bindparam("b_recheck_at", type_=ORDERS.c.recheck_at.type)), else_=null()
)
_END = CompiledStatement(
    lambda: _CHANGE.values(**_UNDUE, recheck_at=_RECHECK_AT, notice_at=notifications.notice_due_at("b_notice_at"))
)
_CLAIM = CompiledStatement(lambda: _CHANGE)


def apply_moves(moves: Sequence[Move], *, now: datetime) -> None:
    """Write all moves, or none and raise IllegalTransition or StaleOrder: rows, events, money and counters.

    The orders must be locked in this transaction. A batch can't have two moves of one order.
    """
    if not moves:
        return
    rows: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    events, postings = [], []
    counts: Counter[tuple[int, Status]] = Counter()
    stopped = []
    moved = []
    for move in moves:
        row, transfers = _after(move, now=now)
        (rows if move.to.is_open or move.to is move.order.status else ends).append(row)
        postings += transfers
        events.append(_event(move, row, now=now))
        if move.to is not move.order.status:
            counts[move.order.customer_id, move.order.status] -= 1
            counts[move.order.customer_id, move.to] += 1
            if move.order.is_watched:
                returned_nanos = row["b_returned_nanos"] - move.order.returned_nanos
                moved.append(Moved(move.order.id, move.order.customer_id, returned_nanos))
            if move.order.is_asked_to_stop and not move.to.is_open:
                stopped.append(move.order.id)
    heads = event_chain.link(events)
    for row in (*rows, *ends):
        row["b_chain_hash"] = heads[row["b_id"]]
    with pipeline():
        _update_unmoved(_CLAIM, rows)
        _update_unmoved(_END, ends)
        event_chain.write(events, heads=heads)
        ledger.post(postings, held={move.order.customer_id: move.order.account_id for move in moves}, now=now)
        if stopped:
            cancellations_on_end.close(stopped, now=now)
        customer_version.count_orders(counts)
        customer_version.bump({move.order.customer_id for move in moves})
    if moved:
        webhooks.queue_order_events(moved, now=now)


def _update_unmoved(statement: CompiledStatement, rows: list[dict[str, Any]]) -> None:
    if rows:
        statement.execute(rows, expect_one=_stale)


def _stale() -> StaleOrder:
    return StaleOrder("The order was moved by someone else. Look at it again, then decide.")


def _after(move: Move, *, now: datetime) -> tuple[dict[str, Any], list[Posting]]:
    order, to = move.order, move.to
    if to is not order.status and not order.status.may_become(to):
        raise IllegalTransition(f"Order {order.id} is {order.status.label} and cannot become {to.label}.")
    charge = refunds.Charge(
        order.id,
        order.customer_id,
        order.quantity,
        order.price_micros_per_thousand,
        order.kept_nanos + order.returned_nanos,
    )
    settlement, postings = refunds.settlement_of(charge, to=to, remains=move.remains)
    is_running = to in (Status.IN_PROGRESS, Status.COMPLETED, Status.PARTIAL)
    row = {
        "b_id": order.id,
        "b_version": order.version,
        "b_status": to,
        "b_remains": move.remains,
        "b_start_count": move.start_count,
        "b_kept_nanos": settlement.kept_nanos if settlement else order.kept_nanos,
        "b_returned_nanos": settlement.returned_nanos if settlement else order.returned_nanos,
        "b_reason": order.reason if move.reason is None else move.reason,
        "b_started_at": order.started_at or (now if is_running else None),
        "b_completed_at": order.completed_at or (now if to is Status.COMPLETED else None),
        "b_ended_at": order.ended_at or (None if to.is_open else now),
        "b_recheck_at": now + RECHECK_AFTER,
        "b_notice_at": None if Status.REFILL in (to, order.status) else now,
    }
    return row, postings


def _event(move: Move, row: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    return {
        "order_id": move.order.id,
        "kind": EventKind.COUNTED if move.to is move.order.status else EventKind.MOVED,
        "source": move.source,
        "old_status": move.order.status,
        "status": move.to,
        "remains": move.remains,
        "start_count": move.start_count,
        "kept_nanos": row["b_kept_nanos"],
        "returned_nanos": row["b_returned_nanos"],
        "version": move.order.version + 1,
        "text": move.text,
        "raw": move.raw,
        "at": now,
    }


@dataclass(frozen=True)
class Note:
    """An event for the timeline that doesn't change the order."""

    order: OrderRow
    text: str
    source: EventSource = EventSource.US
    raw: str = ""


def add_notes(notes: Sequence[Note], *, now: datetime) -> None:
    """Add notes to timelines. The orders must be locked, and not moved, in this transaction."""
    if not notes:
        return
    events = [
        {
            "order_id": note.order.id,
            "kind": EventKind.NOTED,
            "source": note.source,
            "old_status": note.order.status,
            "status": note.order.status,
            "remains": note.order.remains,
            "start_count": note.order.start_count,
            "kept_nanos": note.order.kept_nanos,
            "returned_nanos": note.order.returned_nanos,
            "version": note.order.version,
            "text": note.text,
            "raw": note.raw,
            "at": now,
        }
        for note in notes
    ]
    event_chain.append(events)
    customer_version.bump({note.order.customer_id for note in notes})


def set_schedule(order: OrderRow, **values: Any) -> None:
    """Write the sweeps' columns: due times and the provider's id; never status, counts or money."""
    allowed = {"dispatch_at", "sync_at", "unconfirmed_at", "provider_order_id"}
    if not values.keys() <= allowed:
        raise ValueError(f"{values.keys() - allowed} change only by a move")
    db.session.execute(update(ORDERS).where(ORDERS.c.id == order.id).values(**values))
