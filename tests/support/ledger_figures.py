"""Expected amounts on pages, in files and responses, summed from the ledger's transfers only."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.models import Account, Order, Transfer


@dataclass(frozen=True)
class OrderMoney:
    """How an order's charge is divided, and what was returned after it ended."""

    charged: int
    kept: int
    returned: int
    gifts: tuple[int, ...]

    @property
    def held(self) -> int:
        return self.charged - self.kept - self.returned

    @property
    def figures(self) -> list[int]:
        """All amounts that aren't zero."""
        return [amount for amount in (self.charged, self.kept, self.returned, self.held, *self.gifts) if amount]


@dataclass(frozen=True)
class LedgerLine:
    """A transfer as the customer's statement shows it."""

    id: int
    kind: str
    order_id: int | None
    at: datetime
    change: int
    balance: int

    @property
    def out(self) -> int:
        return max(0, -self.change)

    @property
    def into(self) -> int:
        return max(0, self.change)


def order_money(order_id: int) -> OrderMoney:
    rows = _transfers(Transfer.order_id == order_id)
    of_kind = {kind: [row.amount_nanos for row in rows if row.kind == kind] for kind in ("charge", "keep", "return")}
    gifts = tuple(row.amount_nanos for row in rows if row.kind == "adjustment")
    return OrderMoney(sum(of_kind["charge"]), sum(of_kind["keep"]), sum(of_kind["return"]), gifts)


def lines(user_id: int) -> list[LedgerLine]:
    """The customer's statement, the oldest line first."""
    account = db.session.scalars(select(Account.id).where(Account.user_id == user_id)).one()
    balance, found = 0, []
    for row in _transfers((Transfer.from_account_id == account) | (Transfer.to_account_id == account)):
        change = row.amount_nanos if row.to_account_id == account else -row.amount_nanos
        balance += change
        found.append(LedgerLine(row.id, row.kind, row.order_id, row.at, change, balance))
    return found


def balance(user_id: int) -> int:
    return lines(user_id)[-1].balance


def held(user_id: int) -> int:
    return sum(order_money(order_id).held for order_id in _orders_of(user_id))


def line_of(order_id: int, kind: str) -> int | None:
    """Id of the order's transfer of this kind."""
    return next((row.id for row in _transfers(Transfer.order_id == order_id) if row.kind == kind), None)


def transfers_of(order_id: int) -> dict[int, int]:
    """Amounts of all transfers of the order, by id."""
    return {row.id: row.amount_nanos for row in _transfers(Transfer.order_id == order_id)}


def _orders_of(user_id: int) -> list[int]:
    return list(db.session.scalars(select(Order.id).where(Order.customer_id == user_id)))


def _transfers(which: object) -> list[Transfer]:
    db.session.rollback()
    return list(db.session.scalars(select(Transfer).where(which).order_by(Transfer.id)))  # type: ignore[arg-type]
