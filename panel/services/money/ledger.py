"""Double-entry ledger: append-only transfers between accounts.

Only this module writes `accounts` and `transfers`. A customer's cached balance changes together with its transfers, and
only while `lock_accounts` holds a lock on the customer's row, so that no update is lost.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from panel import app_context
from panel.db import chain_heads, db, lock_rows, table_of
from panel.db.compiled_statements import CompiledStatement, in_list
from panel.domain import chain
from panel.domain.errors import BadMoney, InsufficientBalance
from panel.domain.status import Status
from panel.models import Account, AccountKind, Order, Transfer, TransferKind
from panel.services import webhooks
from panel.services.closed_accounts import check_open

ACCOUNTS = table_of(Account)
TRANSFERS = table_of(Transfer)
ORDERS = table_of(Order)

MAX_BALANCE_NANOS = 4 * 10**18
_FROM_OUTSIDE = frozenset({TransferKind.DEPOSIT, TransferKind.ADJUSTMENT})


@dataclass(frozen=True)
class Posting:
    """A transfer to make. An integer is a customer's user id; an AccountKind is a house account."""

    source: int | AccountKind
    target: int | AccountKind
    amount_nanos: int
    kind: TransferKind
    reason: str
    order_id: int | None = None
    note: str = ""
    # Timestamp of a past transfer; only `services/orders/past_orders` sets it.
    at: datetime | None = None
    # Whose hash chain includes it, if neither account is a customer's.
    customer_id: int | None = None

    @property
    def chained_to(self) -> int | None:
        """The customer whose hash chain includes it: the payer, otherwise the payee, otherwise the order's customer."""
        return next((end for end in (self.source, self.target) if isinstance(end, int)), self.customer_id)


def open_account(user_id: int) -> None:
    """Open an empty account for a new customer."""
    open_accounts([user_id])


def open_accounts(user_ids: Collection[int]) -> None:
    """Open an empty account for each of these new customers, in one statement."""
    rows = [{"kind": AccountKind.CUSTOMER, "user_id": user_id, "balance_nanos": 0} for user_id in user_ids]
    db.session.execute(insert(ACCOUNTS), rows)


_OWNED = select(ACCOUNTS.c.user_id, ACCOUNTS.c.id, ACCOUNTS.c.chain_hash).order_by(ACCOUNTS.c.id)
_LOCK = CompiledStatement(lambda: lock_rows(_OWNED.where(in_list(ACCOUNTS.c.user_id, "user_ids"))))


def lock_accounts(user_ids: Collection[int]) -> dict[int, int]:
    """Lock these customers' accounts until the transaction ends; returns account id by user id.

    Every change of a customer's orders or money takes this lock first, always in the same row order, so that concurrent
    changes queue up without deadlocks.
    """
    return _account_ids(_LOCK.fetch({"user_ids": sorted(set(user_ids))}))


def _account_ids(rows: Sequence[Sequence[Any]]) -> dict[int, int]:
    chain_heads(ACCOUNTS).update({row[1]: row[2] for row in rows})
    return {row[0]: row[1] for row in rows}


def _lock_of_orders() -> Any:
    customers = select(ORDERS.c.customer_id).where(in_list(ORDERS.c.id, "order_ids"))
    return lock_rows(_OWNED.where(ACCOUNTS.c.user_id.in_(customers)))


_LOCK_OF_ORDERS = CompiledStatement(_lock_of_orders)


def lock_accounts_of(order_ids: Collection[int]) -> dict[int, int]:
    """As `lock_accounts`, for the customers of these orders."""
    return _account_ids(_LOCK_OF_ORDERS.fetch({"order_ids": list(order_ids)}))


_TAKE = CompiledStatement(
    lambda: (
        update(ACCOUNTS)
        .where(ACCOUNTS.c.id == bindparam("account"), ACCOUNTS.c.balance_nanos + bindparam("delta") >= 0)
        .values(balance_nanos=ACCOUNTS.c.balance_nanos + bindparam("delta"), chain_hash=bindparam("head"))
    )
)
_ADD = CompiledStatement(
    lambda: insert(TRANSFERS).inline(), columns=[column.name for column in TRANSFERS.c if column.name != "id"]
)


def post(
    postings: Sequence[Posting],
    *,
    held: Mapping[int, int] | None = None,
    watches_balance: bool = True,
    now: datetime,
) -> None:
    """Make the transfers. Raises InsufficientBalance if a balance would become negative.

    The reason is an idempotency key: using one again fails in the database. Raises Refused for a deposit to a closed
    account. `held`: account ids by user id, if this transaction has locked them already. `watches_balance`: False if it
    has read that no endpoint waits for a low balance of theirs.
    """
    if not postings:
        return
    ends = {end for posting in postings for end in (posting.source, posting.target, posting.customer_id)}
    customers = {end for end in ends if isinstance(end, int)}
    known = held if held is not None and customers <= held.keys() else lock_accounts(customers)
    accounts: dict[int | AccountKind, int] = {}
    accounts.update(_house().items())
    accounts.update(known.items())
    # Refunds need no check: an account can't be closed while orders are active.
    from_outside = {posting.target for posting in postings if posting.kind in _FROM_OUTSIDE}
    if credited := customers & from_outside:
        check_open(credited)
    deltas = {accounts[customer]: 0 for customer in customers}
    heads = {account: chain_heads(ACCOUNTS)[account] for account in deltas}
    rows = []
    for posting in postings:
        source, target = accounts[posting.source], accounts[posting.target]
        if posting.source in customers:
            deltas[source] -= posting.amount_nanos
        if posting.target in customers:
            deltas[target] += posting.amount_nanos
        row = _row(posting, source=source, target=target, now=now)
        if (owner := posting.chained_to) is not None:
            account = accounts[owner]
            row["chain_hash"] = heads[account] = chain.transfer_hash(heads[account], row, account_id=account)
        rows.append(row)
    changes = [{"account": key, "delta": delta, "head": heads[key]} for key, delta in sorted(deltas.items())]
    if changes:
        _TAKE.execute(changes, expect_one=_too_little)
    _ADD.execute(rows)
    chain_heads(ACCOUNTS).update(heads)
    spent = {user_id: -deltas[accounts[user_id]] for user_id in customers if deltas[accounts[user_id]] < 0}
    if spent and watches_balance:
        webhooks.queue_low_balance_events(spent, now=now)


def _too_little() -> InsufficientBalance:
    return InsufficientBalance("Not enough funds on your balance. Nothing was charged.")


def _row(posting: Posting, *, source: int, target: int, now: datetime) -> dict[str, object]:
    return {
        "from_account_id": source,
        "to_account_id": target,
        "amount_nanos": posting.amount_nanos,
        "kind": posting.kind,
        "order_id": posting.order_id,
        "reason": posting.reason,
        "note": posting.note,
        "at": posting.at or now,
        "chain_hash": chain.START,
    }


_HOUSE = CompiledStatement(lambda: select(ACCOUNTS.c.kind, ACCOUNTS.c.id).where(ACCOUNTS.c.user_id.is_(None)))


def _house() -> dict[AccountKind, int]:
    """Ids of the four house accounts. The first migration creates them, so they are looked up once."""
    return app_context.once_per_app(
        "panel.house_accounts", lambda: {AccountKind(row[0]): row[1] for row in _HOUSE.fetch({})}
    )


def deposit(user_id: int, *, amount_nanos: int, reason: str, note: str, now: datetime) -> int:
    """Credit money that arrived from outside; returns the transfer id. A reason can be used only once.

    Raises BadMoney if the balance would come near the limit of a 64-bit column.
    """
    lock_accounts([user_id])
    if balance_nanos(user_id) + amount_nanos > MAX_BALANCE_NANOS:
        raise BadMoney("This would bring the balance above what an account can hold.", field="amount")
    posting = Posting(AccountKind.DEPOSITS, user_id, amount_nanos, TransferKind.DEPOSIT, reason, note=note)
    post([posting], now=now)
    return int(db.session.scalars(select(TRANSFERS.c.id).where(TRANSFERS.c.reason == reason)).one())


_BALANCE = select(ACCOUNTS.c.balance_nanos).where(ACCOUNTS.c.user_id == bindparam("user_id"))
_HELD = (
    select(func.sum(Order.charge_nanos - Order.kept_nanos - Order.returned_nanos))
    .where(Order.customer_id == bindparam("user_id"), Order.status.in_([status for status in Status if status.is_open]))
    .scalar_subquery()
)


def balance_nanos(user_id: int) -> int:
    """The customer's available balance."""
    return int(db.session.execute(_BALANCE, {"user_id": user_id}).scalar() or 0)


def held_nanos(user_id: int) -> int:
    """Money on hold for the customer's active orders."""
    return int(db.session.execute(select(_HELD), {"user_id": user_id}).scalar() or 0)


def balance_and_held(user_id: int) -> tuple[int, int]:
    """The available balance, and the money on hold, as of one moment."""
    row = db.session.execute(_BALANCE.add_columns(_HELD), {"user_id": user_id}).first()
    return (0, 0) if row is None else (int(row[0]), int(row[1] or 0))
