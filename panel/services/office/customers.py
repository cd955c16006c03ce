"""Customers: the list with its search, and everything about one customer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, union_all

from panel.db import db, table_of
from panel.domain.accounts.roles import Role
from panel.domain.errors import BadInput, NotFound
from panel.domain.lists.list_filters import MAX_ID
from panel.domain.status import Status
from panel.models import (
    Account,
    ApiKey,
    AuditLogEntry,
    DepositRequest,
    LoginSession,
    Order,
    OrderCount,
    Terms,
    User,
)
from panel.services import audit_log, test_orders
from panel.services.accounts import people_search, sessions
from panel.services.api import keys as api_keys
from panel.services.api import webhook_endpoints
from panel.services.api.webhook_endpoints import EndpointSummary
from panel.services.money import account_entries, ledger, statements
from panel.services.money.statements import StatementLine
from panel.services.orders import history as order_history
from panel.services.tickets import customer_list
from panel.services.tickets.ticket_rows import TicketRow as Ticket

PAGE_SIZE = 40
SHOWN = 10
MAX_SEARCH_LENGTH = 254

ACCOUNTS = table_of(Account)


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A row of the list."""

    id: int
    email: str
    role: Role
    disabled_at: datetime | None
    balance_nanos: int
    orders: int
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """Accounts, newest first, and the cursor of the next page.

    `is_part_searched`: a part inside an email was searched in the newest accounts alone, and there are older ones.
    """

    rows: Sequence[CustomerRow]
    next_after: int | None
    is_part_searched: bool = False


@dataclass(frozen=True, slots=True)
class LastOrder:
    """One of a customer's latest orders."""

    id: int
    tool: str
    status: Status
    quantity: int
    remains: int
    charge_nanos: int
    returned_nanos: int
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything the office shows about one customer."""

    user: User
    balance_nanos: int
    held_nanos: int
    counts: dict[Status, int]
    orders: Sequence[LastOrder]
    lines: Sequence[StatementLine]
    deposits: Sequence[DepositRequest]
    keys: Sequence[ApiKey]
    endpoints: Sequence[EndpointSummary]
    tickets: Sequence[Ticket]
    devices: Sequence[LoginSession]
    log: Sequence[AuditLogEntry]

    @property
    def orders_in_all(self) -> int:
        return sum(self.counts.values())

    @property
    def seen_at(self) -> datetime | None:
        """Last log-in or API call, if it is still known."""
        seen = [device.seen_at for device in self.devices] + [key.used_at for key in self.keys if key.used_at]
        return max(seen, default=None)


def checked_search(text: str) -> str:
    """Validate a search: an id, or part of an email. Raises BadInput."""
    text = text.strip()
    if len(text) > MAX_SEARCH_LENGTH or not text.isprintable():
        raise BadInput(f"Search for a number or a part of an email, {MAX_SEARCH_LENGTH} characters at most.", field="q")
    return text


def search(text: str, *, after: int | None, size: int | None = None) -> CustomerPage:
    """Accounts with this id, or with this text in their email; without a text, all but the test customer."""
    size = size or PAGE_SIZE
    placed = select(func.sum(OrderCount.orders)).where(OrderCount.customer_id == User.id).scalar_subquery()
    logged_in = select(func.max(LoginSession.seen_at)).where(LoginSession.user_id == User.id).scalar_subquery()
    used = select(func.max(ApiKey.used_at)).where(ApiKey.user_id == User.id).scalar_subquery()
    statement: Select[*tuple[Any, ...]] = select(
        User.id,
        User.email,
        User.role,
        User.disabled_at,
        ACCOUNTS.c.balance_nanos,
        func.coalesce(placed, 0),
        logged_in,
        used,
    ).join(ACCOUNTS, ACCOUNTS.c.user_id == User.id)
    if text:
        # One list, not an OR, for which PostgreSQL would read all accounts.
        by_email = select(people_search.ids_of(text).subquery().c.id)
        statement = statement.where(User.id.in_(union_all(by_email, select(User.id).where(User.id == _number(text)))))
    else:
        statement = statement.where(test_orders.is_real(User.id))
    if after is not None:
        statement = statement.where(User.id < after)
    rows = db.session.execute(statement.order_by(User.id.desc()).limit(size + 1)).all()
    shown = [_row(*row) for row in rows[:size]]
    is_part_searched = bool(text) and people_search.is_part_searched()
    return CustomerPage(shown, shown[-1].id if len(rows) > size else None, is_part_searched)


def _row(*columns: Any) -> CustomerRow:
    customer_id, email, role, disabled_at, balance_nanos, placed, logged_in, used = columns
    seen_at = max(filter(None, (logged_in, used)), default=None)
    return CustomerRow(customer_id, email, Role(role), disabled_at, balance_nanos, int(placed), seen_at)


def _number(text: str) -> int | None:
    digits = text.removeprefix("#")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= 19
    return int(digits) if is_number and int(digits) <= MAX_ID else None


def find(customer_id: int) -> User | None:
    """The user with this id."""
    return db.session.get(User, customer_id) if 0 < customer_id <= MAX_ID else None


def see_as(customer_id: int, *, actor: str, now: datetime) -> None:
    """Record that somebody of the staff begins to see the site as this customer. Raises NotFound, or RoleNotAllowed."""
    user = find(customer_id)
    if user is None or user.is_staff or user.closed_at is not None:
        raise NotFound("There is no such customer.")
    audit_log.write("customers see as", actor=actor, subject=subject(customer_id), detail="read-only", now=now)


def emails(customer_ids: Collection[int]) -> dict[int, str]:
    """Emails of these users by id."""
    rows = db.session.execute(select(User.id, User.email).where(User.id.in_(customer_ids)))
    return {row[0]: row[1] for row in rows}


def whole(user: User, *, now: datetime) -> Whole:
    """Everything about this customer, read at one moment."""
    customer_id = user.id
    counts = order_history.counts_by_status(customer_id)
    requests = (
        select(DepositRequest)
        .where(DepositRequest.customer_id == customer_id)
        .order_by(DepositRequest.id.desc())
        .limit(SHOWN)
    )
    return Whole(
        user=user,
        balance_nanos=ledger.balance_nanos(customer_id),
        held_nanos=ledger.held_nanos(customer_id),
        counts={status: number for status, number in counts.items() if number},
        orders=_last_orders(customer_id),
        lines=statements.lines(account_entries.last_entries(customer_id, count=SHOWN)),
        deposits=db.session.scalars(requests).all(),
        keys=api_keys.listed(customer_id),
        endpoints=webhook_endpoints.listed(customer_id),
        tickets=customer_list.page(customer_id).rows[:SHOWN],
        devices=sessions.devices(customer_id, now=now),
        log=lines_about(customer_id),
    )


def _last_orders(customer_id: int) -> list[LastOrder]:
    rows = db.session.execute(
        select(
            Order.id,
            Terms.name,
            Order.status,
            Order.quantity,
            Order.remains,
            Order.charge_nanos,
            Order.returned_nanos,
            Order.placed_at,
        )
        .join(Terms, Terms.id == Order.terms_id)
        .where(Order.customer_id == customer_id)
        .order_by(Order.id.desc())
        .limit(SHOWN)
    )
    return [LastOrder(row[0], row[1], Status(row[2]), *row[3:]) for row in rows]


def lines_about(customer_id: int) -> Sequence[AuditLogEntry]:
    """Latest audit log lines about this customer."""
    about = select(AuditLogEntry).where(AuditLogEntry.subject == subject(customer_id))
    return db.session.scalars(about.order_by(AuditLogEntry.id.desc()).limit(SHOWN)).all()


def subject(customer_id: int) -> str:
    """A customer's subject in the audit log."""
    return f"customer {customer_id}"
