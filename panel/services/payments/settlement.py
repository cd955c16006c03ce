"""Settlement of a deposit paid through a gateway: credited once, and taken back as far as the gateway took it back.

Reports come from verified events and from look-ups, in any order and any number of times. The deposit's row says what
was done already, and the customer's account is locked until the transaction ends.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from panel import app_context
from panel.db import db, lock_rows
from panel.domain import money, payment
from panel.domain.errors import ActionRefused, BadMoney
from panel.domain.payment import PaymentMethod, PaymentReport, PaymentReportKind, RequestedPayment
from panel.domain.review_kind import ReviewKind
from panel.models import DepositRequest, PaymentEventState, Transfer
from panel.services import reviews
from panel.services.money import deposits, ledger
from panel.services.payments import reversals

NOT_PAID = {
    PaymentReportKind.EXPIRED: "It wasn’t paid in time, so the payment page has expired.",
    PaymentReportKind.FAILED: "The payment failed or was declined.",
}
_WORDS = {
    PaymentReportKind.PAID: "a payment",
    PaymentReportKind.FAILED: "a failed payment",
    PaymentReportKind.EXPIRED: "an expired payment page",
    PaymentReportKind.REFUNDED: "a refund",
    PaymentReportKind.DISPUTED: "a dispute",
    PaymentReportKind.DISPUTE_WON: "a dispute that was won",
}


@dataclass(frozen=True, slots=True)
class Applied:
    """Outcome of a report: the state of its event, and a sentence."""

    state: PaymentEventState
    text: str


def lock_deposit(method: PaymentMethod, report: PaymentReport) -> DepositRequest | None:
    """The deposit that the report is about, locked with its customer's account; None if there is none.

    The gateway's own ids count before our reference, which a payment may carry that we didn't ask for.
    """
    known = _find(method, report)
    if known is None:
        return None
    ledger.lock_accounts([known.customer_id])
    statement = lock_rows(select(DepositRequest).where(DepositRequest.id == known.id))
    deposit: DepositRequest = db.session.execute(statement, execution_options={"populate_existing": True}).scalar_one()
    return deposit


def _find(method: PaymentMethod, report: PaymentReport) -> DepositRequest | None:
    named = [
        column == value
        for column, value in (
            (DepositRequest.payment_id, report.payment_id),
            (DepositRequest.checkout_id, report.checkout_id),
            (DepositRequest.reference, report.reference),
        )
        if value
    ]
    if not named:
        return None
    rows = list(db.session.scalars(select(DepositRequest).where(DepositRequest.method == method, or_(*named))))
    rows.sort(key=lambda row: (row.payment_id != report.payment_id, row.checkout_id != report.checkout_id, row.id))
    return rows[0] if rows else None


def apply(method: PaymentMethod, report: PaymentReport, deposit: DepositRequest | None, *, now: datetime) -> Applied:
    """Do what the report says. `deposit`: as `lock_deposit` returned it."""
    if deposit is None:
        return _review(method, report, None, "No deposit of ours belongs to it.", now=now)
    if why := _why_not(deposit, report):
        return _review(method, report, deposit, why, now=now)
    match report.kind:
        case PaymentReportKind.PAID:
            return _paid(method, report, deposit, now=now)
        case PaymentReportKind.FAILED | PaymentReportKind.EXPIRED:
            return _not_paid(report, deposit, now=now)
        case PaymentReportKind.REFUNDED | PaymentReportKind.DISPUTED:
            return _taken_back(report, deposit, now=now)
        case _:
            why = "The gateway gave the money back to you. Credit the customer if that is right."
            return _review(method, report, deposit, why, now=now)


def _why_not(deposit: DepositRequest, report: PaymentReport) -> str:
    """Why the report can't be applied to the deposit; empty if it can."""
    asked = RequestedPayment(
        deposit.asked_nanos, app_context.settings().currency, is_live=deposit.is_live, account=deposit.account
    )
    if report.reference and report.reference != deposit.reference:
        return f"It names the reference {report.reference}, and its payment belongs to {deposit.reference}."
    if report.checkout_id and deposit.checkout_id and report.checkout_id != deposit.checkout_id:
        return "It is from another payment page than the one we made for this deposit."
    if report.payment_id and deposit.payment_id and report.payment_id != deposit.payment_id:
        return "The deposit was paid by another payment already."
    if report.kind is PaymentReportKind.PAID:
        if deposit.refused_at is not None:
            return f"It came late: the deposit had ended ({deposit.refused_reason})"
        if not report.payment_id:
            return "It names no payment."
    if report.kind in NOT_PAID:
        return ""
    return payment.mismatch(asked, report)


def _paid(method: PaymentMethod, report: PaymentReport, deposit: DepositRequest, *, now: datetime) -> Applied:
    deposit.look_up_at = None
    if deposit.transfer_id is not None:
        return Applied(PaymentEventState.APPLIED, "It was credited before.")
    reason = f"deposit:{method}:{report.payment_id}"
    if db.session.scalar(select(Transfer.id).where(Transfer.reason == reason)) is not None:
        return _review(method, report, deposit, "This payment was credited for another deposit.", now=now)
    note = f"{method.label} payment {deposit.reference}"
    try:
        deposits.credit(deposit, amount_nanos=deposit.amount_nanos, reason=reason, note=note, now=now)
    except (ActionRefused, BadMoney) as error:
        return _review(method, report, deposit, error.message, now=now)
    deposit.payment_id = report.payment_id
    reversals.take_back(deposit, now=now)
    db.session.flush()
    return Applied(PaymentEventState.APPLIED, f"{money.plain(deposit.amount_nanos)} credited.")


def _not_paid(report: PaymentReport, deposit: DepositRequest, *, now: datetime) -> Applied:
    if deposit.transfer_id is not None or deposit.refused_at is not None:
        return Applied(PaymentEventState.APPLIED, "The deposit had ended before.")
    deposits.end_unpaid(deposit, reason=NOT_PAID[report.kind], now=now)
    deposit.look_up_at = None
    return Applied(PaymentEventState.APPLIED, NOT_PAID[report.kind])


def _taken_back(report: PaymentReport, deposit: DepositRequest, *, now: datetime) -> Applied:
    """Note how much is taken back. A deposit that isn't credited yet is taken back right after it is."""
    if report.kind is PaymentReportKind.REFUNDED:
        deposit.refunded_nanos = max(deposit.refunded_nanos, report.amount_nanos)
    else:
        deposit.disputed_nanos = max(deposit.disputed_nanos, report.amount_nanos)
    if deposit.transfer_id is not None:
        reversals.take_back(deposit, now=now)
    db.session.flush()
    return Applied(PaymentEventState.APPLIED, f"{money.plain(report.amount_nanos)} {report.kind}.")


def _review(
    method: PaymentMethod, report: PaymentReport, deposit: DepositRequest | None, why: str, *, now: datetime
) -> Applied:
    about = f" for deposit {deposit.reference}" if deposit is not None else ""
    text = f"“{method.label}” reports {_WORDS[report.kind]}{about}. {why} No money was moved."
    raw = report.payment_id or report.checkout_id or report.reference
    reviews.open_review(ReviewKind.PAYMENT, text=text, raw=raw, now=now)
    return Applied(PaymentEventState.IN_REVIEW, why)
