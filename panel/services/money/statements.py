"""Statement details: the order, deposit request or reversed charge behind each entry of a customer's account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from sqlalchemy import select

from panel.db import db
from panel.models import IS_SETTLING, Transfer, TransferKind
from panel.services.money import deposits
from panel.services.money.ledger import Entry, Statement

_ORDERS_AT_ONCE = 1_000


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


def by_month(statement: Statement) -> list[Month]:
    """The months of the statement that have entries, oldest first, with the balance after each."""
    months = []
    for first, group in groupby(statement.entries, key=lambda entry: entry.at.date().replace(day=1)):
        entries = list(group)
        months.append(
            Month(
                first,
                len(entries),
                in_nanos=sum(entry.in_nanos for entry in entries),
                out_nanos=sum(entry.out_nanos for entry in entries),
                balance_nanos=entries[-1].balance_nanos,
            )
        )
    return months


def lines(entries: Sequence[Entry], *, customer_id: int) -> list[StatementLine]:
    """These entries of the customer's account, with their details."""
    references = deposits.references(customer_id)
    returned = [entry.order_id for entry in entries if entry.kind is TransferKind.RETURN and entry.order_id]
    charges = _charge_lines(returned)
    return [
        StatementLine(
            entry,
            reference=references.get(entry.id, ""),
            reverses=charges.get(entry.order_id or 0) if entry.kind is TransferKind.RETURN else None,
        )
        for entry in entries
    ]


def _charge_lines(order_ids: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for start in range(0, len(order_ids), _ORDERS_AT_ONCE):
        rows = db.session.execute(
            select(Transfer.order_id, Transfer.id).where(
                IS_SETTLING,
                Transfer.kind == TransferKind.CHARGE,
                Transfer.order_id.in_(order_ids[start : start + _ORDERS_AT_ONCE]),
            )
        )
        found.update((order_id, transfer_id) for order_id, transfer_id in rows if order_id is not None)
    return found
