"""Payment pages at gateways: made for a deposit, and asked about until it is paid or has ended.

A gateway's event usually comes first. Asking finds payments whose events were lost.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from panel import app_context
from panel.db import db, execute_write, table_of
from panel.domain.payment import PaymentMethod, PaymentReport
from panel.models import DepositRequest
from panel.payments.base import Checkout, PaymentRequest
from panel.services.payments import settlement

DEPOSITS = table_of(DepositRequest)

FIRST_LOOK = timedelta(minutes=2)
# Doubled since the request until a day; a page is open for a day at most.
MAX_WAIT = timedelta(hours=2)
ASKED_FOR = timedelta(hours=30)


@dataclass(frozen=True, slots=True)
class OpenCheckout:
    """An open payment page that is due to be asked about."""

    deposit_id: int
    method: PaymentMethod
    checkout_id: str


def request_of(deposit: DepositRequest, *, email: str, return_url: str) -> PaymentRequest:
    """The payment that the gateway is asked to collect for this deposit."""
    settings = app_context.settings()
    return PaymentRequest(
        deposit.reference,
        deposit.asked_nanos,
        settings.currency,
        title=f"{settings.site_name}: deposit {deposit.reference}",
        email=email,
        return_url=return_url,
    )


def opened(reference: str, checkout: Checkout, *, now: datetime) -> None:
    """Keep the payment page made for this deposit. The same page again changes nothing."""
    mine = (DEPOSITS.c.reference == reference, DEPOSITS.c.checkout_id.is_(None))
    values = {"checkout_id": checkout.id, "checkout_url": checkout.url, "look_up_at": now + FIRST_LOOK}
    db.session.execute(update(DEPOSITS).where(*mine).values(**values))


def due(*, most: int, now: datetime) -> list[OpenCheckout]:
    """Payment pages to ask about."""
    statement = (
        select(DEPOSITS.c.id, DEPOSITS.c.method, DEPOSITS.c.checkout_id)
        .where(DEPOSITS.c.look_up_at <= now, DEPOSITS.c.transfer_id.is_(None), DEPOSITS.c.refused_at.is_(None))
        .order_by(DEPOSITS.c.look_up_at)
        .limit(most)
    )
    return [OpenCheckout(row[0], PaymentMethod(row[1]), row[2] or "") for row in db.session.execute(statement)]


def take(checkout: OpenCheckout, *, now: datetime) -> bool:
    """Take this look-up, so that no other worker makes it; the next one is due later. False if it was taken."""
    requested_at = db.session.scalars(select(DEPOSITS.c.requested_at).where(DEPOSITS.c.id == checkout.deposit_id)).one()
    age = now - requested_at
    later = None if age > ASKED_FOR else now + min(max(age, FIRST_LOOK), MAX_WAIT)
    due_now = (DEPOSITS.c.id == checkout.deposit_id, DEPOSITS.c.look_up_at <= now)
    return execute_write(update(DEPOSITS).where(*due_now).values(look_up_at=later)) == 1


def apply(checkout: OpenCheckout, report: PaymentReport, *, now: datetime) -> None:
    """Do what the gateway answered about this payment page."""
    settlement.apply(checkout.method, report, settlement.lock_deposit(checkout.method, report), now=now)
