"""Audit checks of single transfers: each kind runs only between its own kinds of accounts.

Part of `audit.py`, which reads each part in a snapshot of its own.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, not_, or_, select

from panel.db import db, table_of
from panel.models import IS_ADJUSTMENT, Account, AccountKind, Order, Transfer, TransferKind
from panel.services.money.audit_parts import AuditPart

ORDERS = table_of(Order)
TRANSFERS = table_of(Transfer)
ACCOUNTS = table_of(Account)


def between_wrong_accounts(part: AuditPart) -> Iterator[str]:
    """Transfers between wrong accounts: an order's use its customer, holds and sales; all others involve a customer."""
    account_of = _house_accounts()
    own = select(ACCOUNTS.c.id).where(ACCOUNTS.c.user_id == ORDERS.c.customer_id).scalar_subquery()
    joined = select(TRANSFERS.c.id, TRANSFERS.c.order_id).join(ORDERS, ORDERS.c.id == TRANSFERS.c.order_id)
    holds, sales = account_of[AccountKind.HOLDS], account_of[AccountKind.SALES]
    for kind, source, target in (
        (TransferKind.CHARGE, own, holds),
        (TransferKind.KEEP, holds, sales),
        (TransferKind.RETURN, holds, own),
    ):
        wrong = or_(TRANSFERS.c.from_account_id != source, TRANSFERS.c.to_account_id != target)
        among = (part.has(TRANSFERS.c.id), TRANSFERS.c.kind == kind)
        for transfer_id, order_id in db.session.execute(joined.where(*among, wrong)):
            yield f"Transfer {transfer_id} ({kind} of order {order_id}) runs between the wrong accounts."
    source, target = TRANSFERS.c.from_account_id, TRANSFERS.c.to_account_id
    deposits, adjustments = account_of[AccountKind.DEPOSITS], account_of[AccountKind.ADJUSTMENTS]
    for kind, right in (
        (TransferKind.DEPOSIT, and_(source == deposits, _is_customers(target))),
        (
            TransferKind.ADJUSTMENT,
            or_(
                and_(source == adjustments, _is_customers(target)),
                and_(_is_customers(source), target == adjustments),
            ),
        ),
    ):
        among = (part.has(TRANSFERS.c.id), TRANSFERS.c.kind == kind)
        for transfer_id in db.session.scalars(select(TRANSFERS.c.id).where(*among, not_(right))):
            yield f"Transfer {transfer_id} ({kind}) runs between the wrong accounts."


def _house_accounts() -> dict[AccountKind, Any]:
    rows = db.session.execute(select(ACCOUNTS.c.kind, ACCOUNTS.c.id).where(ACCOUNTS.c.user_id.is_(None)))
    return {AccountKind(kind): account_id for kind, account_id in rows}


def _is_customers(account: ColumnElement[int]) -> ColumnElement[bool]:
    return select(ACCOUNTS.c.id).where(ACCOUNTS.c.id == account, ACCOUNTS.c.user_id.is_not(None)).exists()


def wrong_adjustments() -> Iterator[str]:
    """Adjustments between wrong accounts, for another customer than the order's, or of more than was kept."""
    pot = _house_accounts()[AccountKind.ADJUSTMENTS]
    owner = ACCOUNTS.alias("owner")
    gone = TRANSFERS.c.from_account_id
    other = case((gone == pot, TRANSFERS.c.to_account_id), else_=gone)
    one_is_the_pot = or_(gone == pot, TRANSFERS.c.to_account_id == pot)
    rows = db.session.execute(
        select(TRANSFERS.c.id)
        .select_from(TRANSFERS)
        .outerjoin(owner, owner.c.id == other)
        .outerjoin(ORDERS, ORDERS.c.id == TRANSFERS.c.order_id)
        .where(
            IS_ADJUSTMENT,
            or_(
                ~one_is_the_pot,
                owner.c.user_id.is_(None),
                TRANSFERS.c.order_id.is_not(None) & or_(gone != pot, owner.c.user_id != ORDERS.c.customer_id),
            ),
        )
    )
    for (transfer_id,) in rows:
        yield f"Transfer {transfer_id} ({TransferKind.ADJUSTMENT}) runs between the wrong accounts."
    given = func.sum(TRANSFERS.c.amount_nanos)
    beyond = (
        select(ORDERS.c.id, ORDERS.c.kept_nanos, given)
        .join(TRANSFERS, TRANSFERS.c.order_id == ORDERS.c.id)
        .where(IS_ADJUSTMENT)
        .group_by(ORDERS.c.id, ORDERS.c.kept_nanos)
        .having(given > ORDERS.c.kept_nanos)
    )
    for order_id, kept, returned in db.session.execute(beyond):
        yield f"Order {order_id} kept {kept} nanos, and {int(returned)} were returned for it later."
