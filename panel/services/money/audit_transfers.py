"""Audit checks of single transfers: each kind runs only between its own kinds of accounts.

Part of `audit.py`, which reads everything in one snapshot.
"""

from collections.abc import Iterator

from sqlalchemy import and_, case, func, not_, or_, select

from panel.db import db, table_of
from panel.models import Account, AccountKind, Order, Transfer, TransferKind

ORDERS = table_of(Order)
TRANSFERS = table_of(Transfer)
ACCOUNTS = table_of(Account)


def between_wrong_accounts() -> Iterator[str]:
    """Transfers between wrong accounts: an order's use its customer, holds and sales; all others involve a customer."""
    account_of = {kind: db.session.scalar(select(ACCOUNTS.c.id).where(ACCOUNTS.c.kind == kind)) for kind in _HOUSE}
    own = select(ACCOUNTS.c.id).where(ACCOUNTS.c.user_id == ORDERS.c.customer_id).scalar_subquery()
    joined = select(TRANSFERS.c.id, TRANSFERS.c.order_id).join(ORDERS, ORDERS.c.id == TRANSFERS.c.order_id)
    holds, sales = account_of[AccountKind.HOLDS], account_of[AccountKind.SALES]
    for kind, source, target in (
        (TransferKind.CHARGE, own, holds),
        (TransferKind.KEEP, holds, sales),
        (TransferKind.RETURN, holds, own),
    ):
        wrong = or_(TRANSFERS.c.from_account_id != source, TRANSFERS.c.to_account_id != target)
        for transfer_id, order_id in db.session.execute(joined.where(TRANSFERS.c.kind == kind, wrong)):
            yield f"Transfer {transfer_id} ({kind} of order {order_id}) runs between the wrong accounts."
    customers = select(ACCOUNTS.c.id).where(ACCOUNTS.c.user_id.is_not(None))
    source, target = TRANSFERS.c.from_account_id, TRANSFERS.c.to_account_id
    deposits, adjustments = account_of[AccountKind.DEPOSITS], account_of[AccountKind.ADJUSTMENTS]
    for kind, right in (
        (TransferKind.DEPOSIT, and_(source == deposits, target.in_(customers))),
        (
            TransferKind.ADJUSTMENT,
            or_(
                and_(source == adjustments, target.in_(customers)),
                and_(source.in_(customers), target == adjustments),
            ),
        ),
    ):
        for transfer_id in db.session.scalars(select(TRANSFERS.c.id).where(TRANSFERS.c.kind == kind, not_(right))):
            yield f"Transfer {transfer_id} ({kind}) runs between the wrong accounts."


_HOUSE = (AccountKind.HOLDS, AccountKind.SALES, AccountKind.DEPOSITS, AccountKind.ADJUSTMENTS)


def wrong_adjustments() -> Iterator[str]:
    """Adjustments between wrong accounts, for another customer than the order's, or of more than was kept."""
    adjusted = TRANSFERS.c.kind == TransferKind.ADJUSTMENT
    pot = db.session.scalar(select(ACCOUNTS.c.id).where(ACCOUNTS.c.kind == AccountKind.ADJUSTMENTS))
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
            adjusted,
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
        .where(adjusted)
        .group_by(ORDERS.c.id, ORDERS.c.kept_nanos)
        .having(given > ORDERS.c.kept_nanos)
    )
    for order_id, kept, returned in db.session.execute(beyond):
        yield f"Order {order_id} kept {kept} nanos, and {int(returned)} were returned for it later."
