"""Statement details: the order, deposit request or reversed charge behind each entry of a customer's account."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from panel.db import db
from panel.models import Transfer, TransferKind
from panel.services.money import deposits
from panel.services.money.ledger import Entry

_ORDERS_AT_ONCE = 1_000


@dataclass(frozen=True)
class StatementLine:
    """An entry with its details: `reference` of a deposit request, `reverses` the number of a charge."""

    entry: Entry
    reference: str
    reverses: int | None


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
                Transfer.kind == TransferKind.CHARGE,
                Transfer.order_id.in_(order_ids[start : start + _ORDERS_AT_ONCE]),
            )
        )
        found.update((order_id, transfer_id) for order_id, transfer_id in rows if order_id is not None)
    return found
