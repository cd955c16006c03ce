"""Search of the ledger: transfers with their two accounts, and the sums of all matches.

With an account named, the sums are that account's: what came in, what went out, and the difference, which for a
customer's account is the balance and for the account of held money what the customer's orders hold.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal_column, select
from sqlalchemy.orm import aliased

from panel.db import db, table_of
from panel.domain.money import NANOS_PER_UNIT
from panel.models import (
    Account,
    AccountDay,
    AccountKind,
    Order,
    Transfer,
    TransferKind,
    User,
)
from panel.services.money import ledger_sums
from panel.services.office.ledger.conditions import bounded, conditions_of, in_period, of_account, paths
from panel.services.office.ledger_filters import LedgerFilters

PAGE_SIZE = 50
BATCH_SIZE = 1_000

TRANSFERS = table_of(Transfer)
ORDERS = table_of(Order)
DAYS = table_of(AccountDay)
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
    if not filters.has_words and filters.line is filters.order is filters.customer is None:
        return _page_of_days(filters)
    conditions, is_part_searched = bounded(filters)
    lines = _read(filters, conditions, most=PAGE_SIZE + 1)
    return _with_cursor(lines, _sums(filters, conditions), is_part_searched=is_part_searched)


def _with_cursor(lines: list[LedgerRow], sums: "Sums", *, is_part_searched: bool = False) -> LedgerPage:
    next_after = lines[PAGE_SIZE - 1].id if len(lines) > PAGE_SIZE else None
    return LedgerPage(lines[:PAGE_SIZE], next_after, sums, is_part_searched)


def _page_of_days(filters: LedgerFilters) -> LedgerPage:
    """A page of all lines, or those of a kind, an account or some days: their sums are kept for each day."""
    found = ledger_sums.of_days(filters.period, filters.kind, filters.account)
    sums = Sums(found.lines, found.amount_nanos, found.in_nanos, found.out_nanos)
    if not found.lines:
        return LedgerPage([], None, sums, is_part_searched=False)
    conditions = [
        *conditions_of(filters),
        *in_period(filters),
        TRANSFERS.c.id.between(found.first_id, found.last_id),
    ]
    if filters.after is not None:
        conditions.append(TRANSFERS.c.id < filters.after)
    newest: list[int] = []
    for path in paths(filters):
        ids = select(TRANSFERS.c.id).where(path, *conditions).order_by(TRANSFERS.c.id.desc()).limit(PAGE_SIZE + 1)
        newest += db.session.scalars(ids)
    newest = sorted(set(newest), reverse=True)[: PAGE_SIZE + 1]
    return _with_cursor(_read(filters, [TRANSFERS.c.id.in_(newest)], most=PAGE_SIZE + 1), sums)


def all_lines(filters: LedgerFilters) -> Iterator[LedgerRow]:
    """All matching transfers for a file, read in batches."""
    filters, conditions = (
        filters.at(None),
        [*conditions_of(filters), *in_period(filters)],
    )
    if filters.customer is not None:
        yield from _lines_of_customer(filters, conditions)
        return
    while lines := _read(filters, conditions, most=BATCH_SIZE):
        yield from lines
        filters = filters.at(lines[-1].id)


def _lines_of_customer(filters: LedgerFilters, conditions: list[ColumnElement[bool]]) -> Iterator[LedgerRow]:
    """As `all_lines`: no index has them by id, so they are found once, 8 bytes a line, and then read in batches."""
    found = select(TRANSFERS.c.id).where(*conditions).order_by(TRANSFERS.c.id.desc())
    ids = array("q", db.session.scalars(found.execution_options(yield_per=10 * BATCH_SIZE)))
    for start in range(0, len(ids), BATCH_SIZE):
        yield from _read(filters, [TRANSFERS.c.id.in_(ids[start : start + BATCH_SIZE].tolist())], most=BATCH_SIZE)


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


def _sums(filters: LedgerFilters, conditions: list[ColumnElement[bool]]) -> Sums:
    """The sums, each read in whole units and the rest: 64 bits are few for nanos."""
    amount = TRANSFERS.c.amount_nanos
    unit: ColumnElement[int] = literal_column(str(NANOS_PER_UNIT))
    came, went = of_account(filters)
    amounts = (amount, case((came, amount), else_=0), case((went, amount), else_=0))
    parts = [func.coalesce(func.sum(part), 0) for each in amounts for part in (each // unit, each % unit)]
    lines, *found = (int(value) for value in db.session.execute(select(func.count(), *parts).where(*conditions)).one())
    total, into, out = (units * NANOS_PER_UNIT + rest for units, rest in zip(found[::2], found[1::2], strict=True))
    return Sums(lines, total, into, out)
