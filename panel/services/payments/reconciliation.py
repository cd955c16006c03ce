"""Reconciliation: compares a gateway's list of payments of one day (UTC) with deposits and the ledger.

Both ways: each payment at the gateway was credited once with its amount and taken back as far as it was there, and each
credit of the ledger has its payment at the gateway.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import select

from panel.db import db, table_of
from panel.domain import money, payment
from panel.domain.payment import PaymentMethod
from panel.domain.review_kind import ReviewKind
from panel.models import AuditLogEntry, DepositRequest, Transfer
from panel.payments.base import ListedPayment
from panel.services import audit_log, reviews

TRANSFERS = table_of(Transfer)

# A payment may be credited later than it was made: by its event, or by asking for up to 30 hours.
CREDITED_WITHIN = timedelta(days=2)
ACTION = "payments reconcile"
# How many differences a review names.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Outcome for one day: numbers of payments and credits, and each difference as a sentence."""

    method: PaymentMethod
    day: date
    payments: int
    credits: int
    differences: tuple[str, ...]


def window(day: date) -> tuple[datetime, datetime]:
    """The time whose payments are listed: the day, and those before it that may be credited on it."""
    start = datetime.combine(day, time.min, UTC)
    return start - CREDITED_WITHIN, start + timedelta(days=1)


def compare(method: PaymentMethod, day: date, listed: Sequence[ListedPayment]) -> Reconciliation:
    """Compare the payments of the day's `window` with what was credited; changes nothing."""
    of_day = [each for each in listed if each.at.astimezone(UTC).date() == day]
    known = {each.report.payment_id for each in listed}
    credited = _credits(method, day)
    differences = [text for each in of_day for text in _wrong_payment(method, each)]
    differences += [
        f"Line {line} of the ledger credits the payment {payment_id}, which the gateway doesn’t list."
        for line, payment_id in credited
        if payment_id not in known
    ]
    return Reconciliation(method, day, len(of_day), len(credited), tuple(differences))


def _credits(method: PaymentMethod, day: date) -> list[tuple[int, str]]:
    """The ledger's credits of the day by this method: line and payment."""
    prefix = f"deposit:{method}:"
    start = datetime.combine(day, time.min, UTC)
    rows = db.session.execute(
        select(TRANSFERS.c.id, TRANSFERS.c.reason).where(
            TRANSFERS.c.at >= start,
            TRANSFERS.c.at < start + timedelta(days=1),
            TRANSFERS.c.reason.startswith(prefix, autoescape=True),
        )
    )
    return [(row[0], row[1].removeprefix(prefix)) for row in rows]


def _wrong_payment(method: PaymentMethod, listed: ListedPayment) -> Iterator[str]:
    report = listed.report
    about = f"The payment {report.payment_id} of {money.plain(report.amount_nanos)} {report.currency}"
    row = db.session.execute(
        select(DepositRequest, Transfer.amount_nanos)
        .join(Transfer, Transfer.reason == f"deposit:{method}:{report.payment_id}")
        .where(DepositRequest.transfer_id == Transfer.id, DepositRequest.method == method)
    ).first()
    if row is None:
        yield f"{about} is at the gateway, and nothing was credited for it."
        return
    deposit, credited = row
    if deposit.asked_nanos != report.amount_nanos or credited != deposit.amount_nanos:
        yield f"{about} credited {money.plain(credited)} for deposit {deposit.reference}."
    if listed.refunded_nanos != deposit.refunded_nanos:
        here, there = money.plain(deposit.refunded_nanos), money.plain(listed.refunded_nanos)
        yield f"{about} has {there} refunded at the gateway, and {here} here."
    if listed.is_disputed != (deposit.disputed_nanos > 0):
        yield f"{about} is {'' if listed.is_disputed else 'not '}disputed at the gateway, unlike here."
    due = payment.due_back(
        credited + deposit.bonus_nanos,
        paid_nanos=deposit.asked_nanos,
        refunded_nanos=deposit.refunded_nanos,
        disputed_nanos=deposit.disputed_nanos,
    )
    if deposit.reversed_nanos + deposit.owed_nanos != due:
        yield f"{about} was not taken back as it should be for deposit {deposit.reference}."


def is_done(method: PaymentMethod, day: date) -> bool:
    """Whether this day was compared by the nightly job."""
    done = select(AuditLogEntry.id).where(
        AuditLogEntry.subject == _subject(method, day), AuditLogEntry.action == ACTION
    )
    return db.session.scalar(done.limit(1)) is not None


def record(found: Reconciliation, *, now: datetime) -> None:
    """Record the nightly comparison, with a review if anything differs."""
    count = len(found.differences)
    detail = f"{found.payments} payments, {found.credits} credits, {count} differences"
    audit_log.write(ACTION, actor="worker", subject=_subject(found.method, found.day), detail=detail, now=now)
    if count:
        more = f" And {count - NAMED} more." if count > NAMED else ""
        text = (
            f"“{found.method.label}” and the ledger differ for {found.day:%d %B %Y}: "
            f"{' '.join(found.differences[:NAMED])}{more} See flask payments reconcile --day {found.day}."
        )
        reviews.open_review(ReviewKind.PAYMENT, text=text, now=now)


def _subject(method: PaymentMethod, day: date) -> str:
    return f"payments {method} {day}"
