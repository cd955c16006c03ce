"""The ledger: money moves between accounts by transfers that are added and never changed.

Only this module writes `accounts` and `transfers`. A customer's cached balance changes together with the
transfers behind it, and only while `lock_accounts` holds the customer's row, so that it can't be lost in a race.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import CompoundSelect, Row, bindparam, func, insert, select, union_all, update

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

MOST_BALANCE_NANOS = 4 * 10**18
_FROM_OUTSIDE = frozenset({TransferKind.DEPOSIT, TransferKind.ADJUSTMENT})


@dataclass(frozen=True)
class Posting:
    """One transfer to be made. A whole number names a customer by user id; an AccountKind names a house account."""

    source: int | AccountKind
    target: int | AccountKind
    amount_nanos: int
    kind: TransferKind
    reason: str
    order_id: int | None = None
    note: str = ""
    # When it happened, where that was before now: `services/orders/past_orders` alone writes history.
    at: datetime | None = None
    # Whose hash chain covers it, where neither end is a customer.
    customer_id: int | None = None

    @property
    def chained_to(self) -> int | None:
        """The customer whose chain it is a link of: who pays, or else who gets, or else whose order it settles."""
        return next((end for end in (self.source, self.target) if isinstance(end, int)), self.customer_id)


@dataclass(frozen=True)
class Entry:
    """A line of a customer's statement, with the balance after it."""

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


@dataclass(frozen=True)
class Statement:
    """A period of one customer's account: opening + entries = closing, as `is_checked` says."""

    opening_nanos: int
    entries: tuple[Entry, ...]
    closing_nanos: int

    @property
    def is_checked(self) -> bool:
        return self.opening_nanos + sum(entry.change_nanos for entry in self.entries) == self.closing_nanos


def open_account(user_id: int) -> None:
    """Give a new customer an empty account."""
    db.session.execute(insert(ACCOUNTS), [{"kind": AccountKind.CUSTOMER, "user_id": user_id, "balance_nanos": 0}])


_OWNED = select(ACCOUNTS.c.user_id, ACCOUNTS.c.id, ACCOUNTS.c.chain_hash).order_by(ACCOUNTS.c.id)
_LOCK = CompiledStatement(lambda: lock_rows(_OWNED.where(in_list(ACCOUNTS.c.user_id, "user_ids"))))


def lock_accounts(user_ids: Collection[int]) -> dict[int, int]:
    """Hold these customers' accounts until the transaction ends; account id by user id.

    This is the first thing that a change around a customer's orders or money does, always in the
    same sequence of rows, so that two such changes queue up and never block each other for good.
    """
    return _held(_LOCK.fetch({"user_ids": sorted(set(user_ids))}))


def _held(rows: Sequence[Sequence[Any]]) -> dict[int, int]:
    chain_heads(ACCOUNTS).update({row[1]: row[2] for row in rows})
    return {row[0]: row[1] for row in rows}


def _lock_of_orders() -> Any:
    customers = select(ORDERS.c.customer_id).where(in_list(ORDERS.c.id, "order_ids"))
    return lock_rows(_OWNED.where(ACCOUNTS.c.user_id.in_(customers)))


_LOCK_OF_ORDERS = CompiledStatement(_lock_of_orders)


def lock_accounts_of(order_ids: Collection[int]) -> dict[int, int]:
    """As `lock_accounts`, for the customers who have these orders."""
    return _held(_LOCK_OF_ORDERS.fetch({"order_ids": list(order_ids)}))


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


def post(postings: Sequence[Posting], *, held: Mapping[int, int] | None = None, now: datetime) -> None:
    """Make the transfers. Raises InsufficientBalance when a balance would go below 0.

    A reason that was used before fails in the database: nothing can be posted twice. Raises Refused for money from
    outside onto a closed account. `held`: the accounts of these customers, by user id, where this transaction holds
    them already.
    """
    if not postings:
        return
    ends = {end for posting in postings for end in (posting.source, posting.target, posting.customer_id)}
    customers = {end for end in ends if isinstance(end, int)}
    known = held if held is not None and customers <= held.keys() else lock_accounts(customers)
    accounts: dict[int | AccountKind, int] = {}
    accounts.update(_house().items())
    accounts.update(known.items())
    # What an order returns always finds its account open: none is closed while orders move.
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
    if spent:
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
    """The ids of the four house accounts: made by the first migration, so they are looked up once."""
    kept: dict[AccountKind, int] | None = current_app.extensions.get("panel.house_accounts")
    if kept is None:
        kept = {AccountKind(row[0]): row[1] for row in _HOUSE.fetch({})}
        current_app.extensions["panel.house_accounts"] = kept
    return kept


def deposit(user_id: int, *, amount_nanos: int, reason: str, note: str, now: datetime) -> int:
    """Add money that arrived from outside; the transfer's id. The reason is used once, ever.

    Raises BadMoney where the balance would come near what a 64-bit column holds.
    """
    lock_accounts([user_id])
    if balance_nanos(user_id) + amount_nanos > MOST_BALANCE_NANOS:
        raise BadMoney("This would bring the balance above what an account can hold.", field="amount")
    posting = Posting(AccountKind.DEPOSITS, user_id, amount_nanos, TransferKind.DEPOSIT, reason, note=note)
    post([posting], now=now)
    return int(db.session.scalars(select(TRANSFERS.c.id).where(TRANSFERS.c.reason == reason)).one())


_BALANCE = select(ACCOUNTS.c.balance_nanos).where(ACCOUNTS.c.user_id == bindparam("user_id"))


def balance_nanos(user_id: int) -> int:
    """What the customer can spend now."""
    return int(db.session.execute(_BALANCE, {"user_id": user_id}).scalar() or 0)


def held_nanos(user_id: int) -> int:
    """What is charged and held for the customer's orders that are still moving."""
    held = func.sum(Order.charge_nanos - Order.kept_nanos - Order.returned_nanos)
    open_statuses = [status for status in Status if status.is_open]
    return int(
        db.session.scalar(select(held).where(Order.customer_id == user_id, Order.status.in_(open_statuses))) or 0
    )


def statement(user_id: int, *, since: datetime, until: datetime) -> Statement:
    """The customer's account from `since` up to, not including, `until`.

    The closing balance is summed on its own, not carried forward, so that the check means something.
    """
    opening = _sum(user_id, before=since)
    entries = _entries(user_id, since=since, until=until, opening_nanos=opening)
    return Statement(opening_nanos=opening, entries=tuple(entries), closing_nanos=_sum(user_id, before=until))


def last_entries(user_id: int, *, count: int) -> list[Entry]:
    """The newest lines of the customer's account, newest first."""
    lines = _lines(user_id).subquery()
    rows = db.session.execute(select(lines).order_by(lines.c.id.desc()).limit(count)).all()
    balance = balance_nanos(user_id)
    entries = []
    for row in rows:
        entries.append(_entry(row, balance=balance))
        balance -= row.change
    return entries


def entry_of(order_id: int, *, kind: TransferKind, user_id: int) -> Entry | None:
    """The customer's own line for one settling transfer of an order, with the balance after it."""
    lines = _lines(user_id).subquery()
    row = db.session.execute(select(lines).where(lines.c.order_id == order_id, lines.c.kind == kind)).first()
    if row is None:
        return None
    # From the present balance backwards, in one read: most receipts are looked at while they are new.
    later = select(func.coalesce(func.sum(lines.c.change), 0)).where(lines.c.id > row.id).scalar_subquery()
    balance = db.session.execute(select(ACCOUNTS.c.balance_nanos - later).where(ACCOUNTS.c.user_id == user_id)).scalar()
    return _entry(row, balance=int(balance or 0))


def _lines(user_id: int) -> CompoundSelect[Any]:
    """The transfers that touch one customer, as changes of that customer's balance."""
    account = select(ACCOUNTS.c.id).where(ACCOUNTS.c.user_id == user_id).scalar_subquery()
    columns = (TRANSFERS.c.id, TRANSFERS.c.at, TRANSFERS.c.kind, TRANSFERS.c.order_id, TRANSFERS.c.note)
    return union_all(
        select(*columns, TRANSFERS.c.amount_nanos.label("change")).where(TRANSFERS.c.to_account_id == account),
        select(*columns, (-TRANSFERS.c.amount_nanos).label("change")).where(TRANSFERS.c.from_account_id == account),
    )


def _sum(user_id: int, *, before: datetime) -> int:
    lines = _lines(user_id).subquery()
    return int(db.session.execute(select(func.sum(lines.c.change)).where(lines.c.at < before)).scalar() or 0)


def _entries(user_id: int, *, since: datetime, until: datetime, opening_nanos: int) -> list[Entry]:
    lines = _lines(user_id).subquery()
    rows = db.session.execute(select(lines).where(lines.c.at >= since, lines.c.at < until).order_by(lines.c.id))
    balance, entries = opening_nanos, []
    for row in rows:
        balance += row.change
        entries.append(_entry(row, balance=balance))
    return entries


def _entry(row: Row[Any], *, balance: int) -> Entry:
    return Entry(row.id, row.at, TransferKind(row.kind), row.order_id, row.note, row.change, balance)
