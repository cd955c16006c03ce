"""Deposits: a customer requests one and gets a payment reference; an operator confirms the payment."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from panel import app_context
from panel.db import db, lock_rows, timed_cache
from panel.domain.errors import ActionRefused, BadMoney, NotFound
from panel.domain.money import NANOS_PER_UNIT, parse_nanos
from panel.domain.notification_kinds import Notice
from panel.domain.payment import MANUAL, PaymentMethod, Via
from panel.models import DepositRequest, Transfer
from panel.services import customer_version, delivery_times
from panel.services.closed_accounts import check_open
from panel.services.delivery_times import Measure
from panel.services.mail import notifications
from panel.services.money import ledger

MIN_NANOS = 1 * NANOS_PER_UNIT
MAX_NANOS = 10_000 * NANOS_PER_UNIT
MAX_OPEN = 10
# Amounts offered as buttons.
QUICK_AMOUNTS = tuple(units * NANOS_PER_UNIT for units in (10, 25, 50, 100))
# The time to confirmation is measured over these deposits.
MEASURED = timedelta(days=90)
NEWEST_DEPOSITS = 1_000

_NANOS_PER_CENT = NANOS_PER_UNIT // 100
# Without letters and digits that are easily confused when read aloud or copied by hand.
_REFERENCE_SIGNS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_REFERENCE_LENGTH = 6

# Gateways confirm the other ones.
WAITS_FOR_OPERATOR = (
    DepositRequest.transfer_id.is_(None),
    DepositRequest.refused_at.is_(None),
    DepositRequest.method == PaymentMethod.MANUAL,
)


@dataclass(frozen=True, slots=True)
class OwnDeposit:
    """A customer's deposit: waiting, confirmed (with the credited amount and its statement line) or refused.

    `checkout_url`: the gateway's payment page. `taken_back_nanos`: what the gateway took back afterwards.
    """

    reference: str
    amount_nanos: int
    requested_at: datetime
    refused_at: datetime | None
    refused_reason: str
    line: int | None
    credited_nanos: int | None
    confirmed_at: datetime | None
    method: PaymentMethod
    checkout_url: str
    taken_back_nanos: int
    fee_nanos: int
    bonus_nanos: int

    @property
    def asked_nanos(self) -> int:
        """What the customer pays: the amount and our fee."""
        return self.amount_nanos + self.fee_nanos

    @property
    def is_manual(self) -> bool:
        return self.method is PaymentMethod.MANUAL

    @property
    def is_waiting(self) -> bool:
        return self.line is None and self.refused_at is None


def parse_amount(text: str) -> int:
    """Parse the amount into nano-dollars. Raises BadMoney with the field `amount`."""
    if not text.strip():
        raise BadMoney("The amount is missing. Write it in digits, such as 25 or 12.50.", field="amount")
    try:
        return parse_nanos(text.strip())
    except BadMoney as error:
        raise BadMoney(error.message, field="amount") from None


def request_deposit(customer_id: int, *, amount_nanos: int, via: Via = MANUAL, now: datetime) -> DepositRequest:
    """Create a deposit request; requesting the same amount by the same method again returns the open one.

    Raises BadMoney for the amount, and Refused beyond MAX_OPEN or for a closed account.
    """
    check_amount(amount_nanos)
    ledger.lock_accounts([customer_id])
    check_open([customer_id])
    asked = open_requests(customer_id)
    for request in asked:
        if (request.amount_nanos, request.method) == (amount_nanos, via.method):
            return request
    if len(asked) >= MAX_OPEN:
        raise ActionRefused(
            f"You already have {MAX_OPEN} deposits waiting for a payment. Pay one of them first.",
            field="amount",
        )
    request = DepositRequest(
        customer_id=customer_id,
        reference=_free_reference(),
        amount_nanos=amount_nanos,
        requested_at=now,
        method=via.method,
        is_live=via.is_live,
        account=via.account,
        fee_nanos=via.fee_nanos,
        bonus_nanos=via.bonus_nanos,
    )
    db.session.add(request)
    db.session.flush()
    return request


def open_requests(customer_id: int) -> list[DepositRequest]:
    """This customer's open requests, newest first."""
    return list(
        db.session.scalars(
            select(DepositRequest)
            .where(
                DepositRequest.customer_id == customer_id,
                DepositRequest.transfer_id.is_(None),
                DepositRequest.refused_at.is_(None),
            )
            .order_by(DepositRequest.id.desc())
        )
    )


def find_own(reference: str, *, customer_id: int) -> OwnDeposit:
    """This customer's deposit. Raises NotFound, also for another customer's."""
    statement = (
        select(
            DepositRequest.reference,
            DepositRequest.amount_nanos,
            DepositRequest.requested_at,
            DepositRequest.refused_at,
            DepositRequest.refused_reason,
            DepositRequest.transfer_id.label("line"),
            Transfer.amount_nanos.label("credited_nanos"),
            Transfer.at.label("confirmed_at"),
            DepositRequest.method,
            DepositRequest.checkout_url,
            DepositRequest.fee_nanos,
            DepositRequest.bonus_nanos,
            (DepositRequest.reversed_nanos + DepositRequest.owed_nanos).label("taken_back_nanos"),
        )
        .outerjoin(Transfer, Transfer.id == DepositRequest.transfer_id)
        .where(DepositRequest.reference == _as_kept(reference), DepositRequest.customer_id == customer_id)
    )
    row = db.session.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"There is no deposit with the reference {reference.strip()}.")
    return OwnDeposit(**{**row._mapping, "method": PaymentMethod(row.method)})


def time_to_confirmation(method: PaymentMethod = PaymentMethod.MANUAL, *, now: datetime) -> Measure | None:
    """How long confirmation took by this method, over the deposits of the last 90 days; None where they are few."""
    key = f"deposit times {method}"
    return timed_cache.cached(key, lambda: _measure(method, now=now), max_age=delivery_times.MAX_AGE, now=now)


def _measure(method: PaymentMethod, *, now: datetime) -> Measure | None:
    statement = (
        select(DepositRequest.requested_at, Transfer.at)
        .join(Transfer, Transfer.id == DepositRequest.transfer_id)
        .where(DepositRequest.requested_at >= now - MEASURED, DepositRequest.method == method)
        .order_by(DepositRequest.id.desc())
        .limit(NEWEST_DEPOSITS)
    )
    rows = db.session.execute(statement)
    return delivery_times.measure(int((confirmed - requested).total_seconds()) for requested, confirmed in rows)


def references(customer_id: int) -> dict[int, str]:
    """References of this customer's confirmed requests, by the id of the confirming transfer."""
    rows = db.session.execute(
        select(DepositRequest.transfer_id, DepositRequest.reference).where(
            DepositRequest.customer_id == customer_id, DepositRequest.transfer_id.is_not(None)
        )
    )
    return {transfer_id: reference for transfer_id, reference in rows if transfer_id is not None}


def find(reference: str) -> DepositRequest:
    """The request with this reference, in any spelling. Raises NotFound."""
    return _found(
        db.session.scalar(select(DepositRequest).where(DepositRequest.reference == _as_kept(reference))), reference
    )


def confirm(reference: str, *, amount_nanos: int, note: str, now: datetime) -> int:
    """Credit a manual payment to the customer's balance, once; returns the transfer id. Raises NotFound or Refused."""
    request = _lock_open(reference)
    if request.method != PaymentMethod.MANUAL:
        raise ActionRefused(
            f"The deposit {request.reference} is paid through a gateway, which confirms it. Nothing was added."
        )
    return credit(request, amount_nanos=amount_nanos, reason=f"deposit:top-up:{request.id}", note=note, now=now)


def credit(request: DepositRequest, *, amount_nanos: int, reason: str, note: str, now: datetime) -> int:
    """Credit the payment of a request that is locked and open; returns the transfer id. Raises Refused or BadMoney."""
    transfer_id = ledger.deposit(request.customer_id, amount_nanos=amount_nanos, reason=reason, note=note, now=now)
    request.transfer_id = transfer_id
    db.session.flush()
    customer_version.bump([request.customer_id])
    _notify(request, credited_nanos=amount_nanos, reason="", now=now)
    return transfer_id


def refuse(reference: str, *, reason: str, now: datetime) -> DepositRequest:
    """Refuse a request; the customer sees the reason. Raises NotFound or Refused."""
    request = _lock_open(reference)
    request.refused_at, request.refused_reason = now, reason
    db.session.flush()
    customer_version.bump([request.customer_id])
    _notify(request, credited_nanos=0, reason=reason, now=now)
    return request


def end_unpaid(request: DepositRequest, *, reason: str, now: datetime) -> None:
    """End a locked request that its gateway says won't be paid. No mail: the customer was there, or gave up."""
    request.refused_at, request.refused_reason = now, reason
    db.session.flush()
    customer_version.bump([request.customer_id])


def _notify(request: DepositRequest, *, credited_nanos: int, reason: str, now: datetime) -> None:
    notifications.notify(
        request.customer_id,
        Notice.DEPOSIT,
        key=f"deposit:{request.id}:decided",
        now=now,
        reference=request.reference,
        amount_nanos=request.amount_nanos,
        credited_nanos=credited_nanos,
        balance_nanos=ledger.balance_nanos(request.customer_id),
        reason=reason,
    )


def refused_requests(customer_id: int, *, since: datetime) -> list[DepositRequest]:
    """This customer's requests refused since then, newest first."""
    mine = select(DepositRequest).where(DepositRequest.customer_id == customer_id, DepositRequest.refused_at >= since)
    return list(db.session.scalars(mine.order_by(DepositRequest.id.desc())))


def waiting_deposits(*, after: int | None, most: int) -> list[DepositRequest]:
    """Requests that an operator has to confirm, oldest first; `after` is the pagination cursor."""
    statement = select(DepositRequest).where(*WAITS_FOR_OPERATOR, DepositRequest.id > (after or 0))
    return list(db.session.scalars(statement.order_by(DepositRequest.id).limit(most)))


def _lock_open(reference: str) -> DepositRequest:
    """The request, locked until the transaction ends. Raises NotFound, or Refused if it was decided before."""
    # Lock order: the customer's account first, as everywhere that moves the customer's money.
    ledger.lock_accounts([find(reference).customer_id])
    statement = lock_rows(select(DepositRequest).where(DepositRequest.reference == _as_kept(reference)))
    # Refresh: it may have been read before it was locked.
    request = _found(db.session.scalar(statement, execution_options={"populate_existing": True}), reference)
    if request.transfer_id is not None:
        raise ActionRefused(f"The deposit {request.reference} is already confirmed. Nothing was added again.")
    if request.refused_at is not None:
        raise ActionRefused(f"The deposit {request.reference} was refused. Nothing was added.")
    return request


def check_amount(amount_nanos: int) -> None:
    """Raises BadMoney unless one deposit can have this amount."""
    if amount_nanos < MIN_NANOS:
        raise BadMoney(f"The minimum deposit is {app_context.money_text(MIN_NANOS)}.", field="amount")
    if amount_nanos > MAX_NANOS:
        raise BadMoney(f"The maximum deposit is {app_context.money_text(MAX_NANOS)}.", field="amount")
    if amount_nanos % _NANOS_PER_CENT:
        raise BadMoney("Enter an amount with at most two decimals.", field="amount")


def _free_reference() -> str:
    while True:
        reference = "T-" + "".join(secrets.choice(_REFERENCE_SIGNS) for _ in range(_REFERENCE_LENGTH))
        if not db.session.scalar(select(func.count()).where(DepositRequest.reference == reference)):
            return reference


def _as_kept(reference: str) -> str:
    return reference.strip().upper()


def _found(request: DepositRequest | None, reference: str) -> DepositRequest:
    if request is None:
        raise NotFound(f"There is no deposit with the reference {reference.strip()}.")
    return request
