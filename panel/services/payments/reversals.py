"""Reversals: what a gateway took back is taken from the balance, as far as there is one.

What the balance doesn't cover opens a review, and the customer can't order until an operator releases it.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, select

from panel.db import db, table_of
from panel.domain import money, payment
from panel.domain.errors import ActionRefused, OrderingHeld
from panel.domain.notification_kinds import Notice, NoticeChannel
from panel.domain.review_kind import ReviewKind
from panel.models import AccountKind, DepositRequest, MailKind, Transfer, TransferKind
from panel.services import audit_log, customer_version, reviews
from panel.services.mail import notifications
from panel.services.money import ledger
from panel.services.money.ledger import Posting

_DEPOSITS = table_of(DepositRequest)

HELD = (
    "A payment of yours was taken back, and your balance didn’t cover it. You can’t order until this is settled: "
    "open a ticket. Nothing was charged."
)


def take_back(deposit: DepositRequest, *, now: datetime) -> None:
    """Take from the balance what the gateway took back of this credited deposit. The account is locked."""
    credited = db.session.scalars(select(Transfer.amount_nanos).where(Transfer.id == deposit.transfer_id)).one()
    total = payment.due_back(
        credited + deposit.bonus_nanos,
        paid_nanos=deposit.asked_nanos,
        refunded_nanos=deposit.refunded_nanos,
        disputed_nanos=deposit.disputed_nanos,
    )
    due = total - deposit.reversed_nanos - deposit.owed_nanos
    if due <= 0:
        return
    taken = min(due, ledger.balance_nanos(deposit.customer_id))
    if taken:
        posting = Posting(
            deposit.customer_id,
            AccountKind.ADJUSTMENTS,
            taken,
            TransferKind.ADJUSTMENT,
            f"reversal:{deposit.method}:{deposit.payment_id}:{total}",
            note=f"Payment {deposit.reference} was taken back",
        )
        ledger.post([posting], now=now)
    deposit.reversed_nanos += taken
    if due > taken:
        _hold_orders(deposit, due - taken, now=now)
    db.session.flush()
    customer_version.bump([deposit.customer_id])
    _notify(deposit, total_nanos=total, taken_nanos=taken, missing_nanos=due - taken, now=now)


def _hold_orders(deposit: DepositRequest, missing_nanos: int, *, now: datetime) -> None:
    deposit.owed_nanos += missing_nanos
    deposit.holds_orders = True
    text = (
        f"Deposit {deposit.reference} was taken back at the gateway, and {money.plain(missing_nanos)} of it were no "
        "longer on the balance. The customer can’t order until you release that on the deposit’s page."
    )
    reviews.open_review(ReviewKind.PAYMENT, text=text, raw=str(deposit.owed_nanos), now=now)


def _notify(deposit: DepositRequest, *, total_nanos: int, taken_nanos: int, missing_nanos: int, now: datetime) -> None:
    to = notifications.find_recipient(deposit.customer_id)
    if to is None:
        return
    # Money that is taken back is mailed in any case; a chat gets it as the customer chose.
    by_email, by_telegram = to.has_confirmed_email, to.wants(Notice.DEPOSIT, NoticeChannel.TELEGRAM)
    for channel in [NoticeChannel.EMAIL] * by_email + [NoticeChannel.TELEGRAM] * by_telegram:
        notifications.send(
            to,
            channel,
            [Notice.DEPOSIT],
            mail=MailKind.DEPOSIT_TAKEN_BACK,
            key=f"deposit:{deposit.id}:taken-back:{total_nanos}",
            now=now,
            reference=deposit.reference,
            taken_nanos=taken_nanos,
            missing_nanos=missing_nanos,
            balance_nanos=ledger.balance_nanos(deposit.customer_id),
        )


def holds_orders(customer_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a payment of this customer was taken back that the balance didn't cover, as a column."""
    return select(_DEPOSITS.c.id).where(_DEPOSITS.c.customer_id == customer_id, _DEPOSITS.c.holds_orders).exists()


def refuse_if(is_held: bool) -> None:
    """Raises OrderingHeld for a customer of whom `holds_orders` is true."""
    if is_held:
        raise OrderingHeld(HELD)


def release(deposit: DepositRequest, *, reason: str, actor: str, now: datetime) -> None:
    """Let the customer order again. Raises BadInput without a reason, Refused if this deposit holds nothing."""
    reason = audit_log.checked_reason(reason)
    ledger.lock_accounts([deposit.customer_id])
    db.session.refresh(deposit)
    if not deposit.holds_orders:
        raise ActionRefused("This deposit doesn’t hold the customer’s orders. Nothing was changed.")
    deposit.holds_orders = False
    db.session.flush()
    customer_version.bump([deposit.customer_id])
    subject, detail = f"customer {deposit.customer_id}", f"deposit {deposit.reference}: {reason}"
    audit_log.write("deposits release ordering", actor=actor, subject=subject, detail=detail, now=now)
