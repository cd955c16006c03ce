"""Entries of a customer's account, each with the balance after it, read from daily sums and a few transfers.

`account_days` has what came in and went out on each day, so a balance in the past needs the days before it and the
transfers of one day, however many orders the customer has. Entries are ordered by day (UTC), then by id.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Row, func, select, union_all

from panel.db import db, table_of
from panel.models import IS_SETTLING, Account, AccountDay, Transfer, TransferKind
from panel.services.money import ledger

ACCOUNTS = table_of(Account)
TRANSFERS = table_of(Transfer)
DAYS = table_of(AccountDay)


@dataclass(frozen=True)
class Entry:
    """An entry of a customer's statement, with the balance after it."""

    id: int
    at: datetime
    kind: TransferKind
    order_id: int | None
    note: str
    change_nanos: int
    balance_nanos: int

    @property
    def in_nanos(self) -> int:
        return max(self.change_nanos, 0)

    @property
    def out_nanos(self) -> int:
        return max(-self.change_nanos, 0)


@dataclass(frozen=True, slots=True)
class DaySums:
    """The sums of one day, with the balance at its start, and its first and last transfer."""

    day: date
    entries: int
    in_nanos: int
    out_nanos: int
    first_id: int
    last_id: int
    opening_nanos: int

    @property
    def closing_nanos(self) -> int:
        return self.opening_nanos + self.in_nanos - self.out_nanos


def balance_before(user_id: int, day: date) -> int:
    """The balance at the start of this day."""
    return int(db.session.scalar(select(_change(user_id, DAYS.c.day < day))) or 0)


def balance_after(user_id: int, day: date) -> int:
    """The current balance without what the days after this one changed."""
    balance = ACCOUNTS.c.balance_nanos - func.coalesce(_change(user_id, DAYS.c.day > day), 0)
    return int(db.session.scalar(select(balance).where(ACCOUNTS.c.user_id == user_id)) or 0)


def _change(user_id: int, which: ColumnElement[bool]) -> ColumnElement[int]:
    """By how much these days changed the balance; NULL without any."""
    change = func.sum(DAYS.c.in_nanos - DAYS.c.out_nanos)
    return select(change).where(DAYS.c.account_id == _account(user_id), which).correlate(None).scalar_subquery()


def days(user_id: int, *, first: date, last: date) -> list[DaySums]:
    """The days of the period that have entries, oldest first."""
    columns = (DAYS.c.day, DAYS.c.entries, DAYS.c.in_nanos, DAYS.c.out_nanos, DAYS.c.first_id, DAYS.c.last_id)
    rows = db.session.execute(
        select(*columns, _change(user_id, DAYS.c.day < first))
        .where(DAYS.c.account_id == _account(user_id), DAYS.c.day.between(first, last))
        .order_by(DAYS.c.day)
    )
    found: list[DaySums] = []
    for day, entries, in_nanos, out_nanos, first_id, last_id, before in rows:
        balance = found[-1].closing_nanos if found else int(before or 0)
        found.append(DaySums(day, entries, in_nanos, out_nanos, first_id, last_id, opening_nanos=balance))
    return found


def of_day(user_id: int, day: DaySums, *, skip: int, most: int) -> list[Entry]:
    """At most this many entries of the day, oldest first, after the first ones that are skipped."""
    lines = _of_day(user_id, day.day, day.first_id, day.last_id)
    skipped = 0
    if skip:
        before = lines.limit(skip).subquery()
        skipped = int(db.session.scalar(select(func.coalesce(func.sum(before.c.change), 0))) or 0)
    return _with_balances(db.session.execute(lines.offset(skip).limit(most)), day.opening_nanos + skipped)


def after(user_id: int, day: DaySums, entry: Entry | None, *, most: int) -> list[Entry]:
    """The next entries of the day after this one, or its first."""
    if entry is None:
        return of_day(user_id, day, skip=0, most=most)
    lines = _of_day(user_id, day.day, entry.id + 1, day.last_id)
    return _with_balances(db.session.execute(lines.limit(most)), entry.balance_nanos)


def last_entries(user_id: int, *, count: int, balance_nanos: int | None = None) -> list[Entry]:
    """The latest entries of the customer's account, newest first. `balance_nanos`: the balance, if it has been read."""
    lines = _lines(user_id, newest=count).subquery()
    balance, found = ledger.balance_nanos(user_id) if balance_nanos is None else balance_nanos, []
    for row in db.session.execute(select(lines).order_by(lines.c.id.desc()).limit(count)).all():
        found.append(_entry(row, balance=balance))
        balance -= row.change
    return found


def entry_of(order_id: int, *, kind: TransferKind, user_id: int) -> Entry | None:
    """The customer's statement entry for one settling transfer of an order, with the balance after it."""
    own = _lines(user_id, IS_SETTLING, TRANSFERS.c.order_id == order_id, TRANSFERS.c.kind == kind).subquery()
    row = db.session.execute(select(own)).first()
    if row is None:
        return None
    day = row.at.date()
    (sums,) = days(user_id, first=day, last=day)
    until = _of_day(user_id, day, sums.first_id, row.id).subquery()
    change = db.session.scalar(select(func.sum(until.c.change)))
    return _entry(row, balance=sums.opening_nanos + int(change or 0))


def _account(user_id: int) -> Any:
    return select(ACCOUNTS.c.id).where(ACCOUNTS.c.user_id == user_id).scalar_subquery()


def _of_day(user_id: int, day: date, first_id: int, last_id: int) -> CompoundSelect[Any]:
    """The transfers of a day between these ids, in order. Both sides are read by an index that has this order."""
    since = datetime.combine(day, time.min, UTC)
    at = TRANSFERS.c.at
    of_the_day = (TRANSFERS.c.id.between(first_id, last_id), at >= since, at < since + timedelta(days=1))
    lines = _lines(user_id, *of_the_day)
    return lines.order_by(lines.selected_columns.id)


def _lines(user_id: int, *which: ColumnElement[bool], newest: int | None = None) -> CompoundSelect[Any]:
    """Transfers of one customer as changes of the balance; `newest`: at most this many in and as many out."""
    account = _account(user_id)
    columns = (TRANSFERS.c.id, TRANSFERS.c.at, TRANSFERS.c.kind, TRANSFERS.c.order_id, TRANSFERS.c.note)
    amount = TRANSFERS.c.amount_nanos
    into = select(*columns, amount.label("change")).where(TRANSFERS.c.to_account_id == account, *which)
    out_of = select(*columns, (-amount).label("change")).where(TRANSFERS.c.from_account_id == account, *which)
    if newest is None:
        return union_all(into, out_of)
    sides = (side.order_by(TRANSFERS.c.id.desc()).limit(newest).subquery() for side in (into, out_of))
    return union_all(*(select(side) for side in sides))


def _with_balances(rows: Any, balance: int) -> list[Entry]:
    found = []
    for row in rows:
        balance += row.change
        found.append(_entry(row, balance=balance))
    return found


def _entry(row: Row[Any], *, balance: int) -> Entry:
    return Entry(row.id, row.at, TransferKind(row.kind), row.order_id, row.note, row.change, balance)
