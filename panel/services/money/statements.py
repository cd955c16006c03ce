"""Statement of a customer's account for some days: sums, pages of entries, and what each entry was for.

The sums come from the daily ones, so a year of any size opens like a short one. Read in one snapshot, they add up while
money moves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from sqlalchemy import select

from panel.db import db
from panel.domain.lists.date_range import Period
from panel.models import IS_SETTLING, Transfer, TransferKind
from panel.services.money import account_entries, deposits
from panel.services.money.account_entries import DaySums, Entry

LINES_AT_ONCE = 1_000


@dataclass(frozen=True)
class Statement:
    """A period of a customer's account: opening + days = closing, verified by `is_checked`."""

    opening_nanos: int
    days: tuple[DaySums, ...]
    closing_nanos: int

    @property
    def entries(self) -> int:
        return sum(day.entries for day in self.days)

    @property
    def in_nanos(self) -> int:
        return sum(day.in_nanos for day in self.days)

    @property
    def out_nanos(self) -> int:
        return sum(day.out_nanos for day in self.days)

    @property
    def is_checked(self) -> bool:
        return self.opening_nanos + self.in_nanos - self.out_nanos == self.closing_nanos


@dataclass(frozen=True)
class StatementPage:
    """Entries of a statement; `is_checked`: those of each day that ends here come to the day's sums."""

    entries: tuple[Entry, ...]
    is_checked: bool


@dataclass(frozen=True)
class StatementLine:
    """An entry with its details: `reference` of a deposit request, `reverses` the number of a charge."""

    entry: Entry
    reference: str
    reverses: int | None


@dataclass(frozen=True)
class Month:
    """The entries of one calendar month (UTC) in sums, within the days of the statement."""

    first: date
    entries: int
    in_nanos: int
    out_nanos: int
    balance_nanos: int

    @property
    def last(self) -> date:
        return (self.first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def of_period(user_id: int, period: Period) -> Statement:
    """The statement of these days.

    The closing balance is the current one without what came later, not carried forward, so that the check is
    meaningful: it compares the account's balance with all its daily sums.
    """
    days = account_entries.days(user_id, first=period.first, last=period.last)
    opening = days[0].opening_nanos if days else account_entries.balance_before(user_id, period.first)
    closing = account_entries.balance_after(user_id, period.last)
    return Statement(opening_nanos=opening, days=tuple(days), closing_nanos=closing)


def page(user_id: int, statement: Statement, *, skip: int, most: int) -> StatementPage:
    """At most this many entries, oldest first, after the first ones that are skipped."""
    found: list[Entry] = []
    is_checked = True
    for day in statement.days:
        if len(found) == most:
            break
        if skip >= day.entries:
            skip -= day.entries
            continue
        wanted = min(day.entries - skip, most - len(found))
        some = account_entries.of_day(user_id, day, skip=skip, most=wanted)
        is_whole = skip + wanted == day.entries
        is_checked &= len(some) == wanted and (not is_whole or some[-1].balance_nanos == day.closing_nanos)
        found, skip = found + some, 0
    return StatementPage(tuple(found), is_checked)


def all_lines(user_id: int, statement: Statement) -> Iterator[StatementLine]:
    """Every entry with its details, for a file. No read transaction is open while the lines are sent.

    Entries added since the sums were read have higher ids than the last one of their day, so they aren't among them.
    """
    for day in statement.days:
        last: Entry | None = None
        while some := account_entries.after(user_id, day, last, most=LINES_AT_ONCE):
            detailed = lines(some)
            db.session.rollback()
            yield from detailed
            last = some[-1]


def by_month(statement: Statement) -> list[Month]:
    """The months of the statement that have entries, oldest first, with the balance after each."""
    months = []
    for first, group in groupby(statement.days, key=lambda day: day.day.replace(day=1)):
        days = list(group)
        months.append(
            Month(
                first,
                sum(day.entries for day in days),
                in_nanos=sum(day.in_nanos for day in days),
                out_nanos=sum(day.out_nanos for day in days),
                balance_nanos=days[-1].closing_nanos,
            )
        )
    return months


def lines(some: Sequence[Entry]) -> list[StatementLine]:
    """These entries of the customer's account, with their details."""
    references = deposits.references([entry.id for entry in some if entry.kind is TransferKind.DEPOSIT])
    returned = [entry.order_id for entry in some if entry.kind is TransferKind.RETURN and entry.order_id]
    charges = _charge_lines(returned)
    return [
        StatementLine(
            entry,
            reference=references.get(entry.id, ""),
            reverses=charges.get(entry.order_id or 0) if entry.kind is TransferKind.RETURN else None,
        )
        for entry in some
    ]


def _charge_lines(order_ids: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for start in range(0, len(order_ids), LINES_AT_ONCE):
        rows = db.session.execute(
            select(Transfer.order_id, Transfer.id).where(
                IS_SETTLING,
                Transfer.kind == TransferKind.CHARGE,
                Transfer.order_id.in_(order_ids[start : start + LINES_AT_ONCE]),
            )
        )
        found.update((order_id, transfer_id) for order_id, transfer_id in rows if order_id is not None)
    return found
