"""Subjects of tickets: one of the customer's own orders, refills or statement entries."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from panel.db import db
from panel.domain.errors import NotFound
from panel.domain.lists.list_filters import MAX_ID
from panel.domain.refill import RefillState
from panel.domain.status import Status
from panel.domain.ticket import TicketKind
from panel.models import Account, Order, Refill, Terms, Ticket, Transfer, TransferKind


@dataclass(frozen=True, slots=True)
class SubjectNumbers:
    """Ids of what a ticket is about, at most one of the three."""

    order_id: int | None = None
    refill_id: int | None = None
    transfer_id: int | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(number for number in (self.order_id, self.refill_id, self.transfer_id) if number is not None)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """The order a ticket is about, as it is now."""

    id: int
    tool_name: str
    status: Status
    link: str
    quantity: int
    remains: int
    charge_nanos: int
    returned_nanos: int
    placed_at: datetime

    @property
    def delivered(self) -> int:
        return self.quantity - self.remains


@dataclass(frozen=True, slots=True)
class RefillFacts:
    id: int
    state: RefillState
    asked_at: datetime
    ended_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A statement entry."""

    id: int
    kind: TransferKind
    change_nanos: int
    note: str
    at: datetime
    order_id: int | None


@dataclass(frozen=True, slots=True)
class Thing:
    """Subject of a ticket: none, or an order, possibly with a refill or statement entry of it."""

    order: OrderFacts | None = None
    refill: RefillFacts | None = None
    line: LineFacts | None = None

    @property
    def kind(self) -> TicketKind:
        """The preselected ticket kind for this."""
        if self.line is not None:
            return TicketKind.MONEY
        return TicketKind.ORDER if self.order is not None else TicketKind.OTHER

    @property
    def name(self) -> str:
        """Its name, to end a sentence with; empty for nothing."""
        return name_of(
            order_id=self.order.id if self.order else None,
            refill_id=self.refill.id if self.refill else None,
            transfer_id=self.line.id if self.line else None,
        )


def name_of(*, order_id: int | None, refill_id: int | None, transfer_id: int | None) -> str:
    """The name from the ids; empty for nothing."""
    if transfer_id is not None:
        return f"statement line {transfer_id}"
    if refill_id is not None:
        return f"refill {refill_id} of order {order_id}"
    return f"order {order_id}" if order_id is not None else ""


def find(customer_id: int, *, wanted: SubjectNumbers) -> Thing:
    """Subject of a new ticket, by its ids. Raises NotFound if it doesn't exist or isn't the customer's."""
    if len(wanted.numbers) > 1:
        raise NotFound("A ticket is about one thing.")
    if not all(0 < number <= MAX_ID for number in wanted.numbers):
        raise _nothing()
    if wanted.transfer_id is not None:
        line = _line(wanted.transfer_id, customer_id=customer_id)
        return Thing(line=line, order=_order(line.order_id, customer_id=customer_id) if line.order_id else None)
    if wanted.refill_id is not None:
        refill, order_id = _refill(wanted.refill_id)
        return Thing(refill=refill, order=_order(order_id, customer_id=customer_id))
    if wanted.order_id is not None:
        return Thing(order=_order(wanted.order_id, customer_id=customer_id))
    return Thing()


def carried_by(ticket: Ticket) -> Thing:
    """Subject of this ticket, as it is now."""
    return find(
        ticket.customer_id,
        wanted=SubjectNumbers(
            order_id=ticket.order_id if ticket.refill_id is None and ticket.transfer_id is None else None,
            refill_id=ticket.refill_id,
            transfer_id=ticket.transfer_id,
        ),
    )


def _order(order_id: int, *, customer_id: int) -> OrderFacts:
    row = db.session.execute(
        select(
            Order.id,
            Terms.name,
            Order.status,
            Order.link,
            Order.quantity,
            Order.remains,
            Order.charge_nanos,
            Order.returned_nanos,
            Order.placed_at,
        )
        .join(Terms, Terms.id == Order.terms_id)
        .where(Order.id == order_id, Order.customer_id == customer_id)
    ).first()
    if row is None:
        raise _nothing()
    return OrderFacts(
        id=row.id,
        tool_name=row.name,
        status=Status(row.status),
        link=row.link,
        quantity=row.quantity,
        remains=row.remains,
        charge_nanos=row.charge_nanos,
        returned_nanos=row.returned_nanos,
        placed_at=row.placed_at,
    )


def _refill(refill_id: int) -> tuple[RefillFacts, int]:
    refill = db.session.get(Refill, refill_id)
    if refill is None:
        raise _nothing()
    facts = RefillFacts(refill.id, RefillState(refill.state), refill.asked_at, refill.ended_at, refill.reason)
    return facts, refill.order_id


def _line(transfer_id: int, *, customer_id: int) -> LineFacts:
    row = db.session.execute(
        select(Transfer, Account.id)
        .join(Account, or_(Account.id == Transfer.from_account_id, Account.id == Transfer.to_account_id))
        .where(Transfer.id == transfer_id, Account.user_id == customer_id)
    ).first()
    if row is None:
        raise _nothing()
    transfer, account_id = row
    sign = 1 if transfer.to_account_id == account_id else -1
    return LineFacts(
        id=transfer.id,
        kind=TransferKind(transfer.kind),
        change_nanos=sign * transfer.amount_nanos,
        note=transfer.note,
        at=transfer.at,
        order_id=transfer.order_id,
    )


def _nothing() -> NotFound:
    return NotFound("You have nothing with this number.")
