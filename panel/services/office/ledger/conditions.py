"""Conditions of the ledger search: what the filters say of a transfer, and how far back it is searched."""

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true, union_all
from sqlalchemy.sql.util import ClauseAdapter

from panel.db import db, table_of
from panel.db.id_search import ids_within, newest_id
from panel.domain.lists.date_range import Period
from panel.models import (
    IS_ADJUSTMENT,
    IS_SETTLING,
    Account,
    AccountDay,
    AccountKind,
    Order,
    Transfer,
    TransferKind,
)
from panel.services import test_orders
from panel.services.office.ledger_filters import LedgerFilters

# At most this many of the newest lines (of the period) are searched for what has no index, and of one customer this
# many of each side of the account, and those kept of as many orders: each is found by its own index.
SEARCHED_LINES = 20_000
SEARCHED_OF_CUSTOMER = 5_000

TRANSFERS = table_of(Transfer)
LINES = TRANSFERS.alias("lines")
ORDERS = table_of(Order)
DAYS = table_of(AccountDay)


def bounded(filters: LedgerFilters) -> tuple[list[ColumnElement[bool]], bool]:
    """The conditions, limited to the newest lines if no index helps, and whether that leaves older ones out."""
    is_about, is_part = (None, False) if filters.customer is None else _about(filters.customer, filters.period)
    found = [*conditions_of(filters, is_about=is_about), *in_period(filters)]
    if not (filters.line is filters.order is filters.customer is None):
        return found, is_part
    if (period := filters.period) is not None:
        ids = ids_within(TRANSFERS.c.at, period.since, period.until, most=SEARCHED_LINES)
        # By their ids alone: beside the days SQLite would read all lines of these days, by the index on time.
        newest = select(LINES.c.id).where(LINES.c.at >= period.since, LINES.c.at < period.until)
        newest = newest.order_by(LINES.c.at.desc()).limit(SEARCHED_LINES + 1)
        named = conditions_of(filters, is_about=is_about)
        return [*named, TRANSFERS.c.id.in_(select(newest.subquery().c.id))], ids.is_part
    oldest = newest_id(TRANSFERS) - SEARCHED_LINES
    return ([*found, TRANSFERS.c.id > oldest], True) if oldest > 0 else (found, False)


def _about(customer_id: int, period: Period | None) -> tuple[ColumnElement[bool], bool]:
    """The newest lines about this customer, of these days, and whether there are older ones.

    Into or out of the customer's account, or kept of what one of the customer's newest orders held.
    """
    own = db.session.scalar(select(Account.id).where(Account.user_id == customer_id)) or 0
    ends = (TRANSFERS.c.from_account_id == own, TRANSFERS.c.to_account_id == own)
    first, last = _ids_within(own, period)
    days = [] if period is None else _in_days(period)
    within = (*days, TRANSFERS.c.id.between(first, last))
    newest = [
        select(TRANSFERS.c.id)
        .where(end, *within)
        .order_by(TRANSFERS.c.id.desc())
        .limit(SEARCHED_OF_CUSTOMER + 1)
        .subquery()
        for end in ends
    ]
    lines = union_all(*(select(part.c.id) for part in newest)).subquery()
    older = select(lines.c.id).order_by(lines.c.id.desc()).offset(SEARCHED_OF_CUSTOMER).limit(1)
    bound = db.session.scalar(older) or 0
    placed = [] if period is None else [ORDERS.c.placed_at < period.until]
    by = ORDERS.c.id if period is None else ORDERS.c.placed_at
    orders = select(ORDERS.c.id).where(ORDERS.c.customer_id == customer_id, *placed).order_by(by.desc())
    has_older_orders = db.session.scalar(orders.offset(SEARCHED_OF_CUSTOMER).limit(1)) is not None
    newest_orders = orders.limit(SEARCHED_OF_CUSTOMER).subquery()
    kept = and_(
        IS_SETTLING, TRANSFERS.c.kind == TransferKind.KEEP, TRANSFERS.c.order_id.in_(select(newest_orders.c.id))
    )
    # One bound from below: of two, SQLite might take the one that leaves more to be read.
    shown = (*days, TRANSFERS.c.id.between(max(first, bound + 1), last))
    return _any_of(*(and_(end, *shown) for end in ends), kept), bound > 0 or has_older_orders


def _any_of(*found: ColumnElement[bool]) -> ColumnElement[bool]:
    """That one of these is true, each found by its own index: with an OR, PostgreSQL would read all lines."""
    return TRANSFERS.c.id.in_(union_all(*(select(LINES.c.id).where(_of_alias(each)) for each in found)))


def _of_alias(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition on the same table under another name, so that it does not mean the line outside."""
    adapted: ColumnElement[bool] = ClauseAdapter(LINES).traverse(condition)
    return adapted


def _ids_within(account_id: int, period: Period | None) -> tuple[int, int]:
    """The first and the last id of the account's transfers of these days, by its daily sums."""
    if period is None:
        return 0, newest_id(TRANSFERS)
    days = select(func.min(DAYS.c.first_id), func.max(DAYS.c.last_id)).where(
        DAYS.c.account_id == account_id, DAYS.c.day.between(period.first, period.last)
    )
    first, last = db.session.execute(days).one()
    return first or 0, last or 0


def in_period(filters: LedgerFilters) -> list[ColumnElement[bool]]:
    return [] if filters.period is None else _in_days(filters.period)


def _in_days(period: Period) -> list[ColumnElement[bool]]:
    return [TRANSFERS.c.at >= period.since, TRANSFERS.c.at < period.until]


def paths(filters: LedgerFilters) -> list[ColumnElement[bool]]:
    """Index conditions that lead to these lines by id: one for each account they share, else all ids."""
    source, target = TRANSFERS.c.from_account_id, TRANSFERS.c.to_account_id
    match filters.kind:
        case TransferKind.DEPOSIT:
            return [source == _house(AccountKind.DEPOSITS)]
        case TransferKind.ADJUSTMENT:
            return [end == _house(AccountKind.ADJUSTMENTS) for end in (source, target)]
        case TransferKind.KEEP:
            return [target == _house(AccountKind.SALES)]
        case TransferKind.RETURN:
            return [source == _house(AccountKind.HOLDS)]
        case TransferKind.CHARGE:
            return [target == _house(AccountKind.HOLDS)]
    if filters.account not in (None, AccountKind.CUSTOMER):
        return [end == _house(filters.account) for end in (source, target)]
    return [true()]


def _house(kind: AccountKind) -> int:
    return db.session.scalars(select(Account.id).where(Account.kind == kind, Account.user_id.is_(None))).one()


def of_account(filters: LedgerFilters) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """That money came into, and that it went out of, the account named.

    Looked up for each line: as a list, all customers' accounts would be read even for the three lines of an order.
    """
    came, went = (
        _accounts(filters).where(Account.id == end).exists()
        for end in (TRANSFERS.c.to_account_id, TRANSFERS.c.from_account_id)
    )
    return came, went


def _accounts(filters: LedgerFilters) -> Select[int]:
    """The account named, or that of the customer where that is asked for."""
    accounts = select(Account.id).where(Account.kind == (filters.account or AccountKind.CUSTOMER))
    if filters.customer is not None and filters.account in (None, AccountKind.CUSTOMER):
        return accounts.where(Account.user_id == filters.customer)
    if filters.account not in (None, AccountKind.CUSTOMER):
        # It follows from the kind, and lets the index of accounts without a user be used.
        return accounts.where(Account.user_id.is_(None))
    return accounts


def conditions_of(filters: LedgerFilters, *, is_about: ColumnElement[bool] | None = None) -> list[ColumnElement[bool]]:
    """Conditions of the filters on a line, without the days; `is_about`: that it is one of the customer's newest."""
    found: list[ColumnElement[bool]] = []
    if filters.line is not None:
        found.append(TRANSFERS.c.id == filters.line)
    if filters.order is not None:
        found.append(_is_of_order(TRANSFERS.c.order_id == filters.order))
    if filters.customer is not None:
        found.append(_is_about(filters.customer) if is_about is None else is_about)
    if filters.kind is not None:
        found.append(TRANSFERS.c.kind == filters.kind)
    if filters.account is not None:
        found.append(or_(*of_account(filters)))
    if filters.words:
        texts = (TRANSFERS.c.reason, TRANSFERS.c.note)
        found.append(or_(*(column.icontains(filters.words, autoescape=True) for column in texts)))
    if filters.amount_nanos is not None:
        found.append(TRANSFERS.c.amount_nanos == filters.amount_nanos)
    if filters.line is filters.order is filters.customer is None:
        # Test orders are shown where they are asked for.
        found.append(~test_orders.is_transfer(TRANSFERS))
    return found


def _is_of_order(is_of: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition once for each of the two indexes on orders, so that both can be used."""
    return or_(and_(is_of, IS_SETTLING), and_(is_of, IS_ADJUSTMENT))


def _is_about(customer_id: int) -> ColumnElement[bool]:
    """Into or out of the customer's account, or kept of what one of the customer's orders held."""
    own = select(Account.id).where(Account.user_id == customer_id).scalar_subquery()
    orders = select(ORDERS.c.id).where(ORDERS.c.customer_id == customer_id)
    kept = and_(IS_SETTLING, TRANSFERS.c.kind == TransferKind.KEEP, TRANSFERS.c.order_id.in_(orders))
    return _any_of(TRANSFERS.c.from_account_id == own, TRANSFERS.c.to_account_id == own, kept)
