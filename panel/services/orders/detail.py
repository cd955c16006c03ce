"""Order page: the order with its tool and terms, timeline, money and available actions.

Every query filters by customer: another customer's order is not found.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import bindparam, func, or_, select, text

from panel.db import db
from panel.domain.lists.list_filters import MAX_ID
from panel.domain.next_step import NextStep, NextStepFacts, next_step
from panel.domain.provider_kind import ProviderKind
from panel.domain.status import Status
from panel.models import (
    Cancellation,
    EventKind,
    EventSource,
    Order,
    OrderEvent,
    OrderField,
    OrderRun,
    Provider,
    PublicLink,
    Refill,
    Terms,
    Ticket,
    Tool,
    Transfer,
    TransferKind,
)
from panel.services.orders import dispatch, goodwill, order_fields, runs
from panel.services.orders.goodwill import Given
from panel.services.orders.order_fields import ShownField

EVENTS_PER_PAGE = 100

# Must match the predicate of the partial index on settling transfers, or the index isn't used.
_SETTLING = text("kind IN ('charge', 'keep', 'return')")
_TAKES_NONE = or_(Provider.paused_at.is_not(None), Provider.add_after.is_not(None))
_NEWEST_STOP = (
    select(Cancellation.state)
    .where(Cancellation.order_id == Order.id)
    .order_by(Cancellation.id.desc())
    .limit(1)
    .scalar_subquery()
)
# Whether the order has rows of these: those that it doesn't have are not read.
_HAS = [
    select(each.id).where(each.order_id == Order.id).exists()
    for each in (OrderField, OrderRun, Refill, Cancellation, PublicLink, Ticket)
]
_HAS_GIFTS = select(Transfer.id).where(Transfer.order_id == Order.id, goodwill.IS_GOODWILL).exists()
_OWN = (
    select(Order, Tool, Terms, _TAKES_NONE, _NEWEST_STOP, Provider.kind == ProviderKind.SIMULATED, *_HAS, _HAS_GIFTS)
    .join(Tool, Tool.id == Order.tool_id)
    .join(Terms, Terms.id == Order.terms_id)
    .join(Provider, Provider.id == Order.provider_id)
    .where(Order.id == bindparam("order_id"), Order.customer_id == bindparam("customer_id"))
)
_REFILLS, _CANCELLATIONS = (
    select(each).where(each.order_id == bindparam("order_id")).order_by(each.id.desc())
    for each in (Refill, Cancellation)
)
_SAY_HOW_FAR = (Status.IN_PROGRESS, Status.PARTIAL)


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """A customer's order with its tool and the terms it was placed under."""

    order: Order
    tool: Tool
    terms: Terms
    # Whether the provider takes no new orders now, and the state of the latest cancellation request.
    is_provider_paused: bool
    stop: str | None
    is_simulated: bool
    fields: list[ShownField]
    # The runs of a drip-feed order.
    runs: list[OrderRun]
    # Those that were requested, newest first.
    refills: list[Refill]
    cancellations: list[Cancellation]
    # Whether the order has a public link, tickets about it, and goodwill refunds.
    has_public_link: bool
    has_tickets: bool
    has_gifts: bool

    def next_step(self, *, has_incident: bool) -> NextStep:
        """What happens next, and what the customer can do."""
        order = self.order
        return next_step(
            NextStepFacts(
                status=self.status,
                is_unconfirmed=order.unconfirmed_at is not None,
                stop=self.stop or "",
                is_held_back=order.dispatch_at is not None and self.is_provider_paused,
                can_cancel=self.terms.can_cancel,
                has_incident=has_incident,
                has_refill=self.terms.refill_days is not None,
            )
        )

    @property
    def id(self) -> int:
        return self.order.id

    @property
    def status(self) -> Status:
        return Status(self.order.status)

    @property
    def delivered(self) -> int:
        return self.order.quantity - self.order.remains

    @property
    def held_nanos(self) -> int:
        return self.order.charge_nanos - self.order.kept_nanos - self.order.returned_nanos

    @property
    def has_receipt(self) -> bool:
        """Whether the status is final, so that there may be a refund to show."""
        return self.status.is_final

    @property
    def again_quantity(self) -> int:
        """Quantity for "Order again": the undelivered rest of a Partial order, otherwise the same quantity."""
        is_rest = self.status is Status.PARTIAL and self.order.remains > 0
        if self.runs:
            return self.runs[0].quantity
        return self.order.remains if is_rest else self.order.quantity

    @property
    def next_statuses(self) -> tuple[Status, ...]:
        """Statuses the order can move to from here, under its terms."""
        can = {Status.REFILL: self.terms.refill_days is not None, Status.PARTIAL: not self.terms.is_package}
        return tuple(status for status in self.status.facts.next if can.get(status, True))

    @property
    def doubt(self) -> str:
        """Note beside the status while it is unconfirmed whether the provider has the order."""
        text = dispatch.unconfirmed_text(self.order.quantity, self.order.remains)
        return text if self.order.unconfirmed_at and self.status.is_open else ""


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One stored event of the timeline."""

    id: int
    at: datetime
    source: str
    moved_to: Status | None
    sentence: str
    raw: str
    delivered: int
    is_count: bool


MIN_RUN = 3


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of the timeline, newest first."""

    lines: tuple[TimelineEvent, ...]
    page: int
    pages: int

    @property
    def runs(self) -> list[tuple[TimelineEvent, ...]]:
        """The events, with runs of three or more consecutive counts grouped."""
        found: list[tuple[TimelineEvent, ...]] = []
        for is_count, events in groupby(self.lines, key=lambda line: line.is_count):
            run = tuple(events)
            found += [run] if is_count and len(run) >= MIN_RUN else [(line,) for line in run]
        return found

    @property
    def newer(self) -> int | None:
        return self.page - 1 if self.page > 1 else None

    @property
    def older(self) -> int | None:
        return self.page + 1 if self.page < self.pages else None


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """A transfer of this order. `line` is its number in the statement, if it changed the balance."""

    label: str
    amount_nanos: int
    line: int | None = None
    at: datetime | None = None


def find(order_id: int, *, customer_id: int) -> OwnOrder | None:
    """The order, if it belongs to this customer."""
    if not 0 < order_id <= MAX_ID:
        return None
    row = db.session.execute(_OWN, {"order_id": order_id, "customer_id": customer_id}).first()
    if row is None:
        return None
    order, tool, terms, is_provider_paused, stop, is_simulated, *has = row
    has_fields, has_runs, has_refills, has_cancellations, has_public_link, has_tickets, has_gifts = has
    return OwnOrder(
        order,
        tool,
        terms,
        is_provider_paused,
        stop,
        is_simulated,
        order_fields.of_order_shown(order_id, terms.form) if has_fields else [],
        runs.of_order(order_id) if has_runs else [],
        list(db.session.scalars(_REFILLS, {"order_id": order_id})) if has_refills else [],
        list(db.session.scalars(_CANCELLATIONS, {"order_id": order_id})) if has_cancellations else [],
        has_public_link,
        has_tickets,
        has_gifts,
    )


def timeline(own: OwnOrder, *, page: int) -> Timeline:
    """The order's events, newest first; a page number beyond the last shows the last page."""
    of_order = OrderEvent.order_id == own.id
    counted = select(func.count()).where(of_order).scalar_subquery()
    found = select(OrderEvent, counted).where(of_order).order_by(OrderEvent.id.desc()).limit(EVENTS_PER_PAGE)
    page = max(1, page)
    rows = db.session.execute(found.offset((page - 1) * EVENTS_PER_PAGE)).all()
    if not rows and page > 1:
        events = db.session.scalar(select(counted)) or 0
        page = max(1, -(-events // EVENTS_PER_PAGE))
        rows = db.session.execute(found.offset((page - 1) * EVENTS_PER_PAGE)).all()
    pages = max(1, -(-rows[0][-1] // EVENTS_PER_PAGE)) if rows else 1
    return Timeline(tuple(_line(event, own.order.quantity) for event, _count in rows), page, pages)


def _line(event: OrderEvent, quantity: int) -> TimelineEvent:
    is_move = event.old_status != event.status
    counted = f"{quantity - event.remains:,} of {quantity:,} delivered."
    if event.text:
        sentence = f"{event.text} {counted}" if event.kind == EventKind.COUNTED else event.text
    else:
        sentence = counted if event.kind == EventKind.COUNTED or Status(event.status) in _SAY_HOW_FAR else ""
    return TimelineEvent(
        id=event.id,
        at=event.at,
        source=EventSource(event.source).label,
        moved_to=Status(event.status) if is_move else None,
        sentence=sentence,
        raw=event.raw,
        delivered=quantity - event.remains,
        is_count=event.kind == EventKind.COUNTED and not (is_move or event.raw or event.text),
    )


def money(own: OwnOrder) -> tuple[MoneyLine, ...]:
    """How the charge divides into kept, returned and held, with the charge as the total in the last row."""
    order, moved = own.order, settling_transfers(own.id)
    return (
        MoneyLine("Kept for what was delivered", order.kept_nanos),
        MoneyLine("Returned to your balance", order.returned_nanos, *moved.get(TransferKind.RETURN, ())),
        MoneyLine("Held until the order ends", own.held_nanos),
        MoneyLine("Charged", order.charge_nanos, *moved[TransferKind.CHARGE]),
    )


def own_gifts(own: OwnOrder) -> tuple[Given, ...]:
    """Goodwill refunds of the order, oldest first."""
    return tuple(goodwill.given(own.id)) if own.has_gifts else ()


def settling_transfers(order_id: int) -> dict[TransferKind, tuple[int, datetime]]:
    """Number and time of each transfer that charged or settled the order."""
    rows = db.session.execute(
        select(Transfer.kind, Transfer.id, Transfer.at).where(Transfer.order_id == order_id, _SETTLING)
    )
    return {TransferKind(kind): (transfer_id, at) for kind, transfer_id, at in rows}
