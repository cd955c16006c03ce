"""Audit checks of balances and daily sums: recomputed from transfers.

Part of `audit.py`. Money is summed in two columns, whole units and the rest: SQLite refuses a sum above 9.2 billion.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Date, Select, cast, func, literal_column, select, union_all

from panel.db import db, table_of
from panel.db.compiled_statements import in_list
from panel.domain.money import NANOS_PER_UNIT
from panel.models import IS_NOT_COMPLETED, Account, AccountDay, Order, Transfer

ORDERS = table_of(Order)
TRANSFERS = table_of(Transfer)
ACCOUNTS = table_of(Account)
DAYS = table_of(AccountDay)

ACCOUNTS_AT_ONCE = 500


def wrong_accounts(customers: list[int]) -> Iterator[str]:
    """The balance and the daily sums of each of these customers' accounts equal those of its transfers."""
    doubtful = set()
    for account_id, day in db.session.execute(_differing_days(), {"accounts": customers}):
        yield f"Account {account_id} has daily sums on {day} that are not those of its transfers."
        doubtful.add(account_id)
    columns = (*_sums(DAYS.c.in_nanos), *_sums(DAYS.c.out_nanos))
    rows = db.session.execute(
        select(ACCOUNTS.c.id, ACCOUNTS.c.balance_nanos, *columns)
        .outerjoin(DAYS, DAYS.c.account_id == ACCOUNTS.c.id)
        .where(in_list(ACCOUNTS.c.id, "accounts"))
        .group_by(ACCOUNTS.c.id, ACCOUNTS.c.balance_nanos)
        .order_by(ACCOUNTS.c.id),
        {"accounts": customers},
    )
    for account_id, cached, *parts in rows.all():
        if account_id in doubtful or cached != _nanos(*parts[:2]) - _nanos(*parts[2:]):
            summed = _moved(TRANSFERS.c.to_account_id == account_id) - _moved(TRANSFERS.c.from_account_id == account_id)
            if cached != summed:
                yield f"Account {account_id} shows {cached} nanos, its transfers sum to {summed}."


def _moved(*where: ColumnElement[bool]) -> int:
    return _nanos(*db.session.execute(select(*_sums(TRANSFERS.c.amount_nanos)).where(*where)).one())


def wrong_held_money(holds: int) -> Iterator[str]:
    """The account of held money has what the orders hold. Completed ones hold nothing; each is checked by itself."""
    held = ORDERS.c.charge_nanos - ORDERS.c.kept_nanos - ORDERS.c.returned_nanos
    orders_hold = _nanos(*db.session.execute(select(*_sums(held)).where(IS_NOT_COMPLETED)).one())
    if holds != orders_hold:
        yield f"The account of held money has {holds} nanos, the orders hold {orders_hold}."


def _sums(nanos: ColumnElement[int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    return func.sum(nanos // NANOS_PER_UNIT), func.sum(nanos % NANOS_PER_UNIT)


def _nanos(units: Any, rest: Any) -> int:
    return int(units or 0) * NANOS_PER_UNIT + int(rest or 0)


def batches_of_customers(*, after: int = 0) -> list[list[int]]:
    """The accounts of all customers, above this number, in batches for `wrong_accounts`."""
    accounts = select(ACCOUNTS.c.id).where(ACCOUNTS.c.user_id.is_not(None), ACCOUNTS.c.id > after)
    customers = list(db.session.scalars(accounts.order_by(ACCOUNTS.c.id)))
    return [customers[start : start + ACCOUNTS_AT_ONCE] for start in range(0, len(customers), ACCOUNTS_AT_ONCE)]


def days_of_the_house() -> Iterator[str]:
    """House accounts have no daily sums."""
    of_the_house = select(DAYS.c.account_id).join(ACCOUNTS).where(ACCOUNTS.c.user_id.is_(None)).distinct()
    for account_id in db.session.scalars(of_the_house):
        yield f"Account {account_id} has daily sums, but it is not a customer's."


def _differing_days() -> Select[Any]:
    """Days whose sums and stored sums are not two equal rows."""
    sides = union_all(
        _side(TRANSFERS.c.to_account_id, is_in=True), _side(TRANSFERS.c.from_account_id, is_in=False)
    ).subquery()
    summed = select(
        sides.c.account_id,
        sides.c.day,
        func.count().label("entries"),
        *(part.label(f"part_{number}") for number, part in enumerate((*_parts(sides.c.came), *_parts(sides.c.went)))),
        func.min(sides.c.id).label("first_id"),
        func.max(sides.c.id).label("last_id"),
    ).group_by(sides.c.account_id, sides.c.day)
    both = union_all(summed, _stored()).subquery()
    one_of_two = select(both.c.account_id, both.c.day).group_by(*both.c).having(func.count() != 2)
    different = one_of_two.subquery()
    return select(different.c.account_id, different.c.day).distinct().order_by(*different.c)


def _parts(nanos: ColumnElement[int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The sum in whole units and the rest, which is less than one unit, as in `_stored`."""
    units, rest = (cast(part, BigInteger()) for part in _sums(nanos))
    return units + rest // NANOS_PER_UNIT, rest % NANOS_PER_UNIT


def _side(account: ColumnElement[int], *, is_in: bool) -> Select[Any]:
    amount: ColumnElement[int] = TRANSFERS.c.amount_nanos
    nothing: ColumnElement[int] = literal_column("0")
    return select(
        TRANSFERS.c.id,
        account.label("account_id"),
        _day().label("day"),
        (amount if is_in else nothing).label("came"),
        (nothing if is_in else amount).label("went"),
    ).where(in_list(account, "accounts"))


def _stored() -> Select[Any]:
    parts = [
        part
        for nanos in (DAYS.c.in_nanos, DAYS.c.out_nanos)
        for part in (nanos // NANOS_PER_UNIT, nanos % NANOS_PER_UNIT)
    ]
    columns = (DAYS.c.account_id, DAYS.c.day, DAYS.c.entries, *parts, DAYS.c.first_id, DAYS.c.last_id)
    return select(*columns).where(in_list(DAYS.c.account_id, "accounts"))


def _day() -> ColumnElement[Any]:
    """The day (UTC) of a transfer, as `account_days` has it."""
    if db.engine.dialect.name == "sqlite":
        return func.date(TRANSFERS.c.at, type_=Date())
    return cast(func.timezone("UTC", TRANSFERS.c.at), Date())
