"""Deposits: a customer requests one and gets a payment reference; an operator confirms the payment."""

import secrets
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select

from panel import app_context
from panel.db import db, lock_rows
from panel.domain.errors import ActionRefused, BadMoney, NotFound
from panel.domain.money import NANOS_PER_UNIT, parse_nanos
from panel.domain.notification_kinds import Notice
from panel.domain.payment import MANUAL, NANOS_PER_CENT, PaidParts, PaymentMethod, Via, nanos_per_minor_unit
from panel.models import AccountKind, DepositRequest, TransferKind
from panel.services import customer_version
from panel.services.closed_accounts import check_open
from panel.services.mail import notifications
from panel.services.money import ledger
from panel.services.money.ledger import Posting

MIN_NANOS = 1 * NANOS_PER_UNIT
MAX_NANOS = 10_000 * NANOS_PER_UNIT
MAX_OPEN = 10
# Amounts offered as buttons.
QUICK_AMOUNTS = tuple(units * NANOS_PER_UNIT for units in (10, 25, 50, 100))
# Without letters and digits that are easily confused when read aloud or copied by hand.
_REFERENCE_SIGNS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_REFERENCE_LENGTH = 6

# Gateways confirm the other ones.
WAITS_FOR_OPERATOR = (
    DepositRequest.transfer_id.is_(None),
    DepositRequest.refused_at.is_(None),
    DepositRequest.method == PaymentMethod.MANUAL,
)


def parse_amount(text: str) -> int:
    """Parse the amount into nano-dollars. Raises BadMoney with the field `amount`."""
    if not text.strip():
        raise BadMoney("The amount is missing. Write it in digits, such as 25 or 12.50.", field="amount")
    try:
        return parse_nanos(text.strip())
    except BadMoney as error:
        raise BadMoney(error.message, field="amount") from None


def request_deposit(customer_id: int, *, amount_nanos: int, via: Via = MANUAL, now: datetime) -> DepositRequest:
    """Create a deposit request; requesting the same amount by the same method and terms again returns the open one.

    Raises BadMoney for the amount, and Refused beyond MAX_OPEN or for a closed account.
    """
    check_amount(amount_nanos)
    ledger.lock_accounts([customer_id])
    check_open([customer_id])
    asked = open_requests(customer_id)
    for request in asked:
        same = (request.amount_nanos, request.method, request.method_name, request.fee_nanos, request.bonus_nanos)
        if same == (amount_nanos, via.method, via.name, via.fee_nanos, via.bonus_nanos):
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
        method_name=via.name,
        terms_fee_basis_points=via.terms.fee_basis_points,
        terms_fee_nanos=via.terms.fee_nanos,
        terms_bonus_basis_points=via.terms.bonus_basis_points,
        terms_bonus_from_nanos=via.terms.bonus_from_nanos,
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


def references(transfer_ids: Collection[int]) -> dict[int, str]:
    """References of the requests that these transfers confirmed, by the transfer's id."""
    if not transfer_ids:
        return {}
    rows = db.session.execute(
        select(DepositRequest.transfer_id, DepositRequest.reference).where(DepositRequest.transfer_id.in_(transfer_ids))
    )
    return {transfer_id: reference for transfer_id, reference in rows if transfer_id is not None}


def find(reference: str) -> DepositRequest:
    """The request with this reference, in any spelling. Raises NotFound."""
    return _found(
        db.session.scalar(select(DepositRequest).where(DepositRequest.reference == stored_reference(reference))),
        reference,
    )


def confirm(reference: str, *, amount_nanos: int, note: str, now: datetime) -> int:
    """Credit a manual payment of this amount, once: without our fee, and with the bonus as a transfer of its own.

    Returns the transfer's id. Raises NotFound, Refused, or BadMoney if the fee takes it all.
    """
    request = _lock_open(reference)
    if request.method != PaymentMethod.MANUAL:
        raise ActionRefused(
            f"The deposit {request.reference} is paid through a gateway, which confirms it. Nothing was added."
        )
    paid = parts_of(request, amount_nanos)
    if paid.fee_nanos:
        written = app_context.money_text
        note = f"{note} ({written(amount_nanos)} paid, {written(paid.fee_nanos)} fee)"
    request.fee_nanos, request.bonus_nanos = paid.fee_nanos, paid.bonus_nanos
    reason = f"deposit:top-up:{request.id}"
    return credit(request, amount_nanos=paid.amount_nanos, reason=reason, note=note, now=now)


def parts_of(request: DepositRequest, paid_nanos: int) -> PaidParts:
    """Parts of this payment under the terms of its request. Raises BadMoney if nothing is left after the fee."""
    parts = request.parts(paid_nanos, unit_nanos=nanos_per_minor_unit(app_context.settings().currency))
    if parts.amount_nanos <= 0:
        raise BadMoney("Our fee for this method takes all of that. Nothing would be added.", field="amount")
    return parts


def credit(request: DepositRequest, *, amount_nanos: int, reason: str, note: str, now: datetime) -> int:
    """Credit the payment of a request that is locked and open, and its bonus; returns the transfer id.

    Raises Refused or BadMoney.
    """
    transfer_id = ledger.deposit(request.customer_id, amount_nanos=amount_nanos, reason=reason, note=note, now=now)
    request.transfer_id = transfer_id
    if request.bonus_nanos:
        ends = (AccountKind.ADJUSTMENTS, request.customer_id)
        unique, why = f"bonus:deposit:{request.id}", f"Bonus for deposit {request.reference}"
        ledger.post([Posting(*ends, request.bonus_nanos, TransferKind.ADJUSTMENT, unique, note=why)], now=now)
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
        fee_nanos=request.fee_nanos,
        bonus_nanos=request.bonus_nanos,
        method=request.method_label,
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
    statement = lock_rows(select(DepositRequest).where(DepositRequest.reference == stored_reference(reference)))
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
    if amount_nanos % NANOS_PER_CENT:
        raise BadMoney("Enter an amount with at most two decimals.", field="amount")


def _free_reference() -> str:
    while True:
        reference = "T-" + "".join(secrets.choice(_REFERENCE_SIGNS) for _ in range(_REFERENCE_LENGTH))
        if not db.session.scalar(select(func.count()).where(DepositRequest.reference == reference)):
            return reference


def stored_reference(reference: str) -> str:
    """The reference as it is stored, however it was typed."""
    return reference.strip().upper()


def _found(request: DepositRequest | None, reference: str) -> DepositRequest:
    if request is None:
        raise NotFound(f"There is no deposit with the reference {reference.strip()}.")
    return request
