"""Search of the ledger: transfers with their two accounts, and the sums of all matches.

With an account named, the sums are that account's: what came in, what went out, and the difference, which for a
customer's account is the balance and for the account of held money what the customer's orders hold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import aliased

from panel.db import db, table_of
from panel.db.id_search import ids_within, newest_id
from panel.models import IS_ADJUSTMENT, IS_SETTLING, Account, AccountKind, Order, Transfer, TransferKind, User
from panel.services import test_orders
from panel.services.office.ledger_filters import LedgerFilters

PAGE_SIZE = 50
BATCH_SIZE = 1_000
# At most this many of the newest lines (of the period, where there is one) are searched for what has no index.
SEARCHED_LINES = 200_000

TRANSFERS = table_of(Transfer)
ORDERS = table_of(Order)
_FROM, _TO = aliased(Account), aliased(Account)
_FROM_USER, _TO_USER = aliased(User), aliased(User)

HOUSE = {
    AccountKind.HOLDS: "Held for orders",
    AccountKind.SALES: "Sales",
    AccountKind.DEPOSITS: "Deposits",
    AccountKind.ADJUSTMENTS: "Adjustments",
}


@dataclass(frozen=True, slots=True)
class TransferSide:
    """One of a transfer's two accounts: a customer's or a house account."""

    name: str
    customer_id: int | None


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A transfer as stored."""

    id: int
    at: datetime
    kind: TransferKind
    order_id: int | None
    amount_nanos: int
    reason: str
    note: str
    source: TransferSide
    target: TransferSide


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Transfers, newest first, and the cursor of the next page.

    `is_part_searched`: only the newest lines were searched and summed, and there are older ones.
    """

    lines: Sequence[LedgerRow]
    next_after: int | None
    sums: "Sums"
    is_part_searched: bool


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of all matching transfers. In and out are those of the given account, if there is one."""

    lines: int
    amount_nanos: int
    in_nanos: int
    out_nanos: int

    @property
    def difference_nanos(self) -> int:
        return self.in_nanos - self.out_nanos


def page(filters: LedgerFilters) -> LedgerPage:
    """One page of matching transfers, newest first, and the sums of all pages."""
    conditions, is_part_searched = _bounded(filters)
    lines = _read(filters, conditions, most=PAGE_SIZE + 1)
    has_more = len(lines) > PAGE_SIZE
    next_after = lines[PAGE_SIZE - 1].id if has_more else None
    return LedgerPage(lines[:PAGE_SIZE], next_after, _sums(filters, conditions), is_part_searched)


def all_lines(filters: LedgerFilters) -> Iterator[LedgerRow]:
    """All matching transfers for a file, read in batches."""
    filters, conditions = filters.at(None), [*_conditions(filters), *_in_period(filters)]
    while lines := _read(filters, conditions, most=BATCH_SIZE):
        yield from lines
        filters = filters.at(lines[-1].id)


_LINES: Select[*tuple[Any, ...]] = (
    select(
        TRANSFERS.c.id,
        TRANSFERS.c.at,
        TRANSFERS.c.kind,
        TRANSFERS.c.order_id,
        TRANSFERS.c.amount_nanos,
        TRANSFERS.c.reason,
        TRANSFERS.c.note,
        _FROM.kind,
        _FROM_USER.id,
        _FROM_USER.email,
        _TO.kind,
        _TO_USER.id,
        _TO_USER.email,
    )
    .join(_FROM, _FROM.id == TRANSFERS.c.from_account_id)
    .join(_TO, _TO.id == TRANSFERS.c.to_account_id)
    .outerjoin(_FROM_USER, _FROM_USER.id == _FROM.user_id)
    .outerjoin(_TO_USER, _TO_USER.id == _TO.user_id)
)


def _read(filters: LedgerFilters, conditions: list[ColumnElement[bool]], *, most: int) -> list[LedgerRow]:
    statement = _LINES.where(*conditions)
    if filters.after is not None:
        statement = statement.where(TRANSFERS.c.id < filters.after)
    rows = db.session.execute(statement.order_by(TRANSFERS.c.id.desc()).limit(most))
    return [_line(tuple(row)) for row in rows]


def _line(row: tuple[Any, ...]) -> LedgerRow:
    line_id, at, kind, order_id, amount_nanos, reason, note, *sides = row
    source, target = _side(*sides[:3]), _side(*sides[3:])
    return LedgerRow(line_id, at, TransferKind(kind), order_id, amount_nanos, reason, note, source, target)


def _side(kind: str, user_id: int | None, email: str | None) -> TransferSide:
    return TransferSide(email or HOUSE[AccountKind(kind)], user_id)


def _bounded(filters: LedgerFilters) -> tuple[list[ColumnElement[bool]], bool]:
    """The conditions, limited to the newest lines if no index helps, and whether that leaves older ones out."""
    conditions = [*_conditions(filters), *_in_period(filters)]
    if not (filters.line is filters.order is filters.customer is None):
        return conditions, False
    if (period := filters.period) is not None:
        ids = ids_within(TRANSFERS.c.at, period.since, period.until, most=SEARCHED_LINES)
        return [*conditions, TRANSFERS.c.id.between(ids.first, ids.last)], ids.is_part
    oldest = newest_id(TRANSFERS) - SEARCHED_LINES
    return ([*conditions, TRANSFERS.c.id > oldest], True) if oldest > 0 else (conditions, False)


def _in_period(filters: LedgerFilters) -> list[ColumnElement[bool]]:
    period, at = filters.period, TRANSFERS.c.at
    return [] if period is None else [at >= period.since, at < period.until]


def _sums(filters: LedgerFilters, conditions: list[ColumnElement[bool]]) -> Sums:
    amount = TRANSFERS.c.amount_nanos
    # Looked up for each line: as a list, all customers' accounts would be read even for the three lines of an order.
    ends = (TRANSFERS.c.to_account_id, TRANSFERS.c.from_account_id)
    came, went = (_accounts(filters).where(Account.id == end).exists() for end in ends)
    counted = select(
        func.count(),
        func.coalesce(func.sum(amount), 0),
        func.coalesce(func.sum(case((came, amount), else_=0)), 0),
        func.coalesce(func.sum(case((went, amount), else_=0)), 0),
    ).where(*conditions)
    return Sums(*(int(value) for value in db.session.execute(counted).one()))


def _of_account(filters: LedgerFilters) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """That money came into, and that it went out of, the account named; the indexes on both ends can be used."""
    accounts = _accounts(filters)
    return TRANSFERS.c.to_account_id.in_(accounts), TRANSFERS.c.from_account_id.in_(accounts)


def _accounts(filters: LedgerFilters) -> Select[int]:
    """The account named, or that of the customer where that is asked for."""
    accounts = select(Account.id).where(Account.kind == (filters.account or AccountKind.CUSTOMER))
    if filters.customer is not None and filters.account in (None, AccountKind.CUSTOMER):
        return accounts.where(Account.user_id == filters.customer)
    if filters.account not in (None, AccountKind.CUSTOMER):
        # It follows from the kind, and lets the index of accounts without a user be used.
        return accounts.where(Account.user_id.is_(None))
    return accounts


def _conditions(filters: LedgerFilters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.line is not None:
        found.append(TRANSFERS.c.id == filters.line)
    if filters.order is not None:
        found.append(_is_of_order(TRANSFERS.c.order_id == filters.order))
    if filters.customer is not None:
        found.append(_is_about(filters.customer))
    if filters.kind is not None:
        found.append(TRANSFERS.c.kind == filters.kind)
    if filters.account is not None:
        found.append(or_(*_of_account(filters)))
    if filters.words:
        texts = (TRANSFERS.c.reason, TRANSFERS.c.note)
        found.append(or_(*(column.icontains(filters.words, autoescape=True) for column in texts)))
    if filters.amount_nanos is not None:
        found.append(TRANSFERS.c.amount_nanos == filters.amount_nanos)
    if filters.line is filters.order is filters.customer is None:
        # Test orders are shown where they are asked for.
        found.append(~test_orders.is_transfer(TRANSFERS))
    return found


def _is_of_order(is_of: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition once for each of the two indexes on orders, so that both can be used."""
    return or_(and_(is_of, IS_SETTLING), and_(is_of, IS_ADJUSTMENT))


def _is_about(customer_id: int) -> ColumnElement[bool]:
    """Into or out of the customer's account, or kept of what one of the customer's orders held."""
    own = select(Account.id).where(Account.user_id == customer_id).scalar_subquery()
    orders = select(ORDERS.c.id).where(ORDERS.c.customer_id == customer_id)
    kept = and_(IS_SETTLING, TRANSFERS.c.kind == TransferKind.KEEP, TRANSFERS.c.order_id.in_(orders))
    return or_(TRANSFERS.c.from_account_id == own, TRANSFERS.c.to_account_id == own, kept)
