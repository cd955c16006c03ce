"""Audit checks of payments: vouchers and deposits through gateways say what their transfers moved.

Part of `audit.py`, which reads each part in a snapshot of its own.
"""

from collections.abc import Iterator

from sqlalchemy import func, select

from panel.db import db, table_of
from panel.domain.payment import PaymentMethod
from panel.models import Account, AccountKind, DepositRequest, Transfer, Voucher

TRANSFERS = table_of(Transfer)
VOUCHERS = table_of(Voucher)
DEPOSITS = table_of(DepositRequest)

ACCOUNTS = table_of(Account)

# Vouchers, bonuses and reversals run between a customer's account and one of these.
_POTS = (AccountKind.DEPOSITS, AccountKind.ADJUSTMENTS)
_VOUCHER, _REVERSAL, _BONUS = "deposit:voucher:", "reversal:", "bonus:deposit:"


def wrong_vouchers() -> Iterator[str]:
    """Vouchers whose count or sum differs from their transfers."""
    found: dict[int, tuple[int, int]] = {}
    for reason, amount in _with_reason(_VOUCHER):
        voucher_id = int(reason.removeprefix(_VOUCHER).partition(":")[0])
        count, total = found.get(voucher_id, (0, 0))
        found[voucher_id] = (count + 1, total + amount)
    for voucher_id, used, amount in db.session.execute(select(VOUCHERS.c.id, VOUCHERS.c.used, VOUCHERS.c.amount_nanos)):
        count, total = found.pop(voucher_id, (0, 0))
        if (count, total) != (used, used * amount):
            yield f"Voucher {voucher_id} was used {used} times at {amount} nanos; its {count} transfers moved {total}."
    for voucher_id in found:
        yield f"Transfers name the voucher {voucher_id}, which does not exist."


def wrong_deposits() -> Iterator[str]:
    """Deposits whose credit, bonus or reversals differ from their transfers, by any method."""
    bonuses = dict(_with_reason(_BONUS))
    reversed_by: dict[str, int] = {}
    for reason, amount in _with_reason(_REVERSAL):
        payment = reason.removeprefix(_REVERSAL).rpartition(":")[0]
        reversed_by[payment] = reversed_by.get(payment, 0) + amount
    rows = db.session.execute(
        select(
            DEPOSITS.c.reference,
            DEPOSITS.c.method + ":" + func.coalesce(DEPOSITS.c.payment_id, ""),
            DEPOSITS.c.reversed_nanos,
            TRANSFERS.c.reason,
            DEPOSITS.c.id,
            DEPOSITS.c.bonus_nanos,
            DEPOSITS.c.method,
        ).outerjoin(TRANSFERS, TRANSFERS.c.id == DEPOSITS.c.transfer_id)
    )
    for reference, payment, taken, reason, deposit_id, bonus, method in rows:
        paid_as = f"top-up:{deposit_id}" if method == PaymentMethod.MANUAL else payment
        if (added := bonuses.get(f"{_BONUS}{deposit_id}", 0)) != (bonus if reason is not None else 0):
            yield f"Deposit {reference} says a bonus of {bonus} nanos, its transfer added {added}."
        if reason is not None and reason != f"deposit:{paid_as}":
            yield f"Deposit {reference} of the payment {paid_as} was credited by a transfer for {reason}."
        if (moved := reversed_by.pop(payment, 0)) != taken:
            yield f"Deposit {reference} says that {taken} nanos were taken back, its transfers moved {moved}."
    for payment in reversed_by:
        yield f"Transfers take back the payment {payment}, which belongs to no deposit."


def _with_reason(prefix: str) -> list[tuple[str, int]]:
    """Reasons and amounts of these transfers, found by the accounts that few of all transfers touch."""
    named = TRANSFERS.c.reason.startswith(prefix, autoescape=True)
    those = select(ACCOUNTS.c.id).where(ACCOUNTS.c.kind.in_(_POTS), ACCOUNTS.c.user_id.is_(None))
    pots = db.session.scalars(those).all()
    found: dict[int, tuple[str, int]] = {}
    for end in (TRANSFERS.c.from_account_id, TRANSFERS.c.to_account_id):
        rows = select(TRANSFERS.c.id, TRANSFERS.c.reason, TRANSFERS.c.amount_nanos).where(end.in_(pots), named)
        found |= {row[0]: (row[1], row[2]) for row in db.session.execute(rows)}
    return list(found.values())
