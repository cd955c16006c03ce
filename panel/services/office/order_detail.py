"""One order as operators see it: customer, provider, every transfer of its money, and its log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import aliased

from panel.db import db
from panel.domain.provider_kind import ProviderKind
from panel.domain.refill import RefillState
from panel.domain.status import Status
from panel.models import (
    Account,
    AccountKind,
    Attempt,
    AuditLogEntry,
    Cancellation,
    Order,
    Provider,
    Refill,
    Review,
    Ticket,
    Transfer,
    TransferKind,
    User,
)
from panel.services.money import order_costs
from panel.services.money.order_costs import CostOfOrder
from panel.services.office import assignments
from panel.services.office.assignments import Held
from panel.services.office.ledger_search import HOUSE
from panel.services.orders import detail as order_detail
from panel.services.orders import goodwill
from panel.services.orders.detail import OwnOrder
from panel.services.orders.goodwill import Room

MAX_LINES = 200


@dataclass(frozen=True, slots=True)
class OrderTransfer:
    """A transfer of the order, with its accounts and reason."""

    id: int
    at: datetime
    kind: TransferKind
    amount_nanos: int
    source: str
    target: str
    note: str


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """Everything about one order. `own` is what its customer sees."""

    own: OwnOrder
    customer: User
    provider: Provider
    attempts: Sequence[Attempt]
    # By id, of the providers of these attempts: an order can go on to another one.
    provider_names: dict[int, str]
    refills: Sequence[Refill]
    cancellations: Sequence[Cancellation]
    reviews: Sequence[Review]
    tickets: Sequence[Ticket]
    transfers: Sequence[OrderTransfer]
    log: Sequence[AuditLogEntry]
    held: Held | None
    room: Room
    cost: CostOfOrder

    @property
    def is_by_hand(self) -> bool:
        return self.provider.kind == ProviderKind.MANUAL

    @property
    def open_refill(self) -> Refill | None:
        return next((refill for refill in self.refills if RefillState(refill.state).is_open), None)

    @property
    def may_be_set_to(self) -> tuple[Status, ...]:
        """Statuses that an operator may set by hand, including the current one for new counts."""
        status = self.own.status
        if not self.is_by_hand or not status.is_moving:
            return ()
        steps = tuple(to for to in status.facts.next if to is not Status.REFILL)
        return (status, *steps) if status.is_open else steps

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The same as values and labels for a form."""
        return [(status.value, status.label) for status in self.may_be_set_to]

    @property
    def returned_later_nanos(self) -> int:
        """Amount returned after the order was settled."""
        return self.own.order.kept_nanos - self.room.left_nanos


def find(order_id: int, *, now: datetime) -> OrderDetail | None:
    """The order with everything about it; None if it does not exist."""
    customer_id = db.session.scalar(select(Order.customer_id).where(Order.id == order_id))
    own = None if customer_id is None else order_detail.find(order_id, customer_id=customer_id)
    if own is None:
        return None
    refills = db.session.scalars(select(Refill).where(Refill.order_id == order_id).order_by(Refill.id.desc())).all()
    stops = db.session.scalars(
        select(Cancellation).where(Cancellation.order_id == order_id).order_by(Cancellation.id.desc())
    ).all()
    reviews = db.session.scalars(
        select(Review).where(Review.order_id == order_id).order_by(Review.id.desc()).limit(MAX_LINES)
    ).all()
    attempts = db.session.scalars(
        select(Attempt).where(Attempt.order_id == order_id).order_by(Attempt.id.desc()).limit(MAX_LINES)
    ).all()
    called = select(Provider.id, Provider.name).where(Provider.id.in_({attempt.provider_id for attempt in attempts}))
    return OrderDetail(
        own=own,
        customer=db.session.get_one(User, own.order.customer_id),
        provider=db.session.get_one(Provider, own.order.provider_id),
        attempts=attempts,
        provider_names={row.id: row.name for row in db.session.execute(called)},
        refills=refills,
        cancellations=stops,
        reviews=reviews,
        tickets=db.session.scalars(select(Ticket).where(Ticket.order_id == order_id).order_by(Ticket.id.desc())).all(),
        transfers=_transfers(order_id),
        log=_log(order_id, refills=refills, stops=stops, reviews=reviews),
        held=assignments.assignment_of(order_id, now=now),
        room=goodwill.room(order_id),
        cost=order_costs.of_order(own.order),
    )


def _transfers(order_id: int) -> list[OrderTransfer]:
    """Every transfer of the order, oldest first, with account labels."""
    source, target = aliased(Account), aliased(Account)
    payer, payee = aliased(User), aliased(User)
    rows = db.session.execute(
        select(
            Transfer.id,
            Transfer.at,
            Transfer.kind,
            Transfer.amount_nanos,
            source.kind,
            payer.email,
            target.kind,
            payee.email,
            Transfer.note,
        )
        .join(source, source.id == Transfer.from_account_id)
        .join(target, target.id == Transfer.to_account_id)
        .outerjoin(payer, payer.id == source.user_id)
        .outerjoin(payee, payee.id == target.user_id)
        # In two parts, so that each is found through its own index.
        .where(or_(*(Transfer.id.in_(part) for part in _numbers(order_id))))
        .order_by(Transfer.id)
    )
    return [
        OrderTransfer(
            row[0], row[1], TransferKind(row[2]), row[3], _name(row[4], row[5]), _name(row[6], row[7]), row[8]
        )
        for row in rows
    ]


def _name(kind: str, email: str | None) -> str:
    """An account's label: its owner's email, or the name of the panel’s own account."""
    return email or HOUSE[AccountKind(kind)]


def _numbers(order_id: int) -> tuple[list[int], list[int]]:
    settling = [line for line, _at in order_detail.settling_transfers(order_id).values()]
    return settling, [gift.line for gift in goodwill.given(order_id)]


def _log(
    order_id: int, *, refills: Sequence[Refill], stops: Sequence[Cancellation], reviews: Sequence[Review]
) -> Sequence[AuditLogEntry]:
    """Audit log of the order and its refills, cancellations and reviews, newest first."""
    subjects = [
        f"order {order_id}",
        *(f"refill {refill.id}" for refill in refills),
        *(f"cancellation {stop.id}" for stop in stops),
        *(f"review {review.id}" for review in reviews),
    ]
    lines = select(AuditLogEntry).where(AuditLogEntry.subject.in_(subjects)).order_by(AuditLogEntry.id.desc())
    return db.session.scalars(lines.limit(MAX_LINES)).all()
