"""Sums of the whole ledger by day, kind and accounts: kept for transfers of an hour ago, computed for newer ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, Select, cast, func, literal_column, or_, select, union_all
from sqlalchemy.orm import aliased

from panel.db import db, table_of, upsert
from panel.domain.lists.date_range import Period
from panel.domain.money import NANOS_PER_UNIT
from panel.models import Account, AccountKind, LedgerDay, Transfer, TransferKind
from panel.services import test_orders

TRANSFERS, DAYS = table_of(Transfer), table_of(LedgerDay)
_SOURCE, _TARGET = aliased(Account), aliased(Account)
GROUP = ("day", "kind", "source", "target", "is_test")
# No transaction stays open this long, so no transfer can still appear among those that are older.
SETTLED_AFTER = timedelta(hours=1)
TRANSFERS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class LedgerSums:
    """Sums of transfers, in and out of the given kind of account, and the smallest and the largest id."""

    lines: int
    amount_nanos: int
    in_nanos: int
    out_nanos: int
    first_id: int
    last_id: int


def of_days(period: Period | None, kind: TransferKind | None, account: AccountKind | None) -> LedgerSums:
    """Sums of what these days (all days without a period) have of this kind, and between such accounts."""
    until = summed_up_to()
    # The days come after the sums: with them in both parts, the newer ones would be looked for by time, not by id.
    both = union_all(select(*DAYS.c), _grouped(TRANSFERS.c.id > until)).subquery()
    statement = select(both).where(~both.c.is_test)
    if period is not None:
        statement = statement.where(both.c.day.between(period.first, period.last))
    if kind is not None:
        statement = statement.where(both.c.kind == kind)
    if account is not None:
        statement = statement.where(or_(both.c.source == account, both.c.target == account))
    lines, total, came, went, first, last = 0, 0, 0, 0, 0, 0
    for row in db.session.execute(statement):
        nanos = amount(row)
        lines, total = lines + int(row.lines), total + nanos
        came += nanos if row.target == account else 0
        went += nanos if row.source == account else 0
        first, last = min(first or row.first_id, row.first_id), max(last, row.last_id)
    return LedgerSums(lines, total, came, went, first, last)


def summed_up_to() -> int:
    """The newest transfer in the kept sums."""
    return db.session.scalar(select(func.max(DAYS.c.last_id))) or 0


def add_up(*, now: datetime, most: int = TRANSFERS_AT_ONCE) -> int:
    """Add transfers that are an hour old to their days; returns how many."""
    after = summed_up_to()
    up_to = _settled(after, most=most, now=now)
    rows = [dict(row._mapping) for row in db.session.execute(between(after, up_to))] if up_to > after else []
    if rows:
        statement = upsert(DAYS)
        given = statement.excluded
        added = {name: DAYS.c[name] + given[name] for name in ("lines", "amount_units", "amount_nanos")}
        added["last_id"] = given.last_id
        db.session.execute(statement.on_conflict_do_update(index_elements=list(GROUP), set_=added), rows)
    return sum(int(row["lines"]) for row in rows)


def is_behind(*, now: datetime) -> bool:
    """Whether there are transfers to be added."""
    after = summed_up_to()
    return _settled(after, most=1, now=now) > after


def _settled(after: int, *, most: int, now: datetime) -> int:
    """The last id of the next transfers before the first one that is too new."""
    newer = select(TRANSFERS.c.id, TRANSFERS.c.at).where(TRANSFERS.c.id > after).order_by(TRANSFERS.c.id).limit(most)
    last = after
    for row in db.session.execute(newer):
        if row.at >= now - SETTLED_AFTER:
            break
        last = row.id
    return last


def between(after: int, up_to: int | None) -> Select[Any]:
    """Sums of the transfers with ids above `after`, up to `up_to`, by their groups."""
    return _grouped(TRANSFERS.c.id > after, *([] if up_to is None else [TRANSFERS.c.id <= up_to]))


def _grouped(*where: ColumnElement[bool]) -> Select[Any]:
    nanos = TRANSFERS.c.amount_nanos
    unit: ColumnElement[int] = literal_column(str(NANOS_PER_UNIT))
    return (
        select(
            _day().label("day"),
            TRANSFERS.c.kind,
            _SOURCE.kind.label("source"),
            _TARGET.kind.label("target"),
            test_orders.is_transfer(TRANSFERS).label("is_test"),
            func.count().label("lines"),
            func.sum(nanos // unit).label("amount_units"),
            func.sum(nanos % unit).label("amount_nanos"),
            func.min(TRANSFERS.c.id).label("first_id"),
            func.max(TRANSFERS.c.id).label("last_id"),
        )
        .join(_SOURCE, _SOURCE.id == TRANSFERS.c.from_account_id)
        .join(_TARGET, _TARGET.id == TRANSFERS.c.to_account_id)
        .where(*where)
        .group_by(*(literal_column(str(number)) for number in range(1, len(GROUP) + 1)))
    )


def amount(row: Any) -> int:
    """The amount, which is kept in two parts."""
    return int(row.amount_units) * NANOS_PER_UNIT + int(row.amount_nanos)


def group_of(row: Any) -> str:
    """Day, kind and accounts of a row of sums, as one word."""
    return "|".join(str(row._mapping[name]) for name in GROUP)


def balance(summed: Mapping[str, Sequence[int]], account: AccountKind) -> int:
    """Balances of the accounts of this kind after these transfers, by group as in `group_of`."""
    nanos = 0
    for group, sums in summed.items():
        _, _, source, target, _ = group.split("|")
        nanos += (target == account) * sums[1] - (source == account) * sums[1]
    return nanos


def wrong_sums(summed: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """The kept sums equal these: by group lines, nanos, and the smallest and the largest id of all transfers."""
    kept = {
        group_of(row): (row.lines, amount(row), row.first_id, row.last_id) for row in db.session.execute(select(DAYS))
    }
    days = {group.partition("|")[0] for group in kept.keys() | summed.keys() if kept.get(group) != summed.get(group)}
    for day in sorted(days):
        yield f"The ledger's sums of {day} are not those of its transfers."


def _day() -> ColumnElement[Any]:
    """The day (UTC) of a transfer."""
    if db.engine.dialect.name == "sqlite":
        return func.date(TRANSFERS.c.at, type_=Date())
    return cast(func.timezone("UTC", TRANSFERS.c.at), Date())
