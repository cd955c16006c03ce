"""Balance changes by operators: credits, debits and confirmed deposits.

The effect is computed beforehand by the same checks that the change itself makes.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from panel.db import db, table_of
from panel.domain import money
from panel.domain.errors import ActionRefused, BadMoney, NotFound
from panel.domain.payment import PaidParts
from panel.models import AccountKind, DepositRequest, ProposalKind, Transfer, TransferKind, User
from panel.services import audit_log, customer_version
from panel.services.money import approval_limit, deposits, ledger
from panel.services.money.approval_limit import Unapproved
from panel.services.money.ledger import Posting

TRANSFERS = table_of(Transfer)


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """A requested balance change. `form_key`: idempotency key of its form, which may be sent twice.

    `operator_id`: None for the command line, which only approves.
    """

    kind: ProposalKind
    customer_id: int
    amount_nanos: int
    reason: str
    form_key: str
    operator_id: int | None
    actor: str
    deposit_id: int | None = None


@dataclass(frozen=True, slots=True)
class BalanceEffect:
    """The customer's balance before and after, and whether a second operator must approve.

    `paid`: what a deposit's payment is made of; None for credits and debits.
    """

    before_nanos: int
    after_nanos: int
    needs_second: bool
    unapproved: Unapproved
    paid: PaidParts | None = None

    @property
    def change_nanos(self) -> int:
        """Change of the balance; negative for a debit."""
        return self.after_nanos - self.before_nanos


def effect(wanted: BalanceChange, *, limit_nanos: int | None, now: datetime) -> BalanceEffect:
    """The effect if it were made now; changes nothing. Raises NotFound, BadInput, BadMoney or Refused.

    `limit_nanos`: amount allowed without approval in 24 hours; None if a second operator is already approving.
    """
    audit_log.checked_reason(wanted.reason)
    if db.session.get(User, wanted.customer_id) is None:
        raise NotFound(f"There is no customer {wanted.customer_id}.")
    if wanted.customer_id == wanted.operator_id:
        raise ActionRefused("This is your own account. Another operator must do it.")
    if wanted.amount_nanos <= 0:
        raise BadMoney("The amount must be more than zero.", field="amount")
    before = ledger.balance_nanos(wanted.customer_id)
    paid = _paid(wanted)
    change = wanted.amount_nanos if paid is None else paid.amount_nanos + paid.bonus_nanos
    after = before - change if wanted.kind is ProposalKind.DEBIT else before + change
    if after < 0:
        raise BadMoney(f"The balance is {money.plain(before)}. A debit never takes more than that.", field="amount")
    if after > ledger.MAX_BALANCE_NANOS:
        raise BadMoney("This would bring the balance above what an account can hold.", field="amount")
    unapproved = approval_limit.sums(wanted.customer_id, operator_id=wanted.operator_id, now=now)
    is_above = limit_nanos is not None and unapproved.needs_approval(change, limit_nanos=limit_nanos)
    return BalanceEffect(before, after, is_above, unapproved, paid)


def _paid(wanted: BalanceChange) -> PaidParts | None:
    """Parts of a deposit's payment. Raises BadMoney if the fee takes it all."""
    if wanted.kind is not ProposalKind.DEPOSIT:
        return None
    return deposits.parts_of(db.session.get_one(DepositRequest, wanted.deposit_id), wanted.amount_nanos)


def move(wanted: BalanceChange, *, actor: str, now: datetime) -> int:
    """Move the money, in a transaction that has locked the customer's account; returns the transfer's id."""
    reason = audit_log.checked_reason(wanted.reason)
    if wanted.kind is ProposalKind.DEPOSIT:
        reference = db.session.scalars(
            select(DepositRequest.reference).where(DepositRequest.id == wanted.deposit_id)
        ).one()
        number = deposits.confirm(reference, amount_nanos=wanted.amount_nanos, note=reason, now=now)
        what = f"deposit {reference}"
    else:
        number, what = _adjust(wanted, reason, now=now), wanted.kind.value
    detail = f"{money.plain(wanted.amount_nanos)}, line {number}: {reason}"
    audit_log.write(f"customers {what}", actor=actor, subject=f"customer {wanted.customer_id}", detail=detail, now=now)
    return number


def _adjust(wanted: BalanceChange, reason: str, *, now: datetime) -> int:
    ends: tuple[int | AccountKind, int | AccountKind] = (AccountKind.ADJUSTMENTS, wanted.customer_id)
    source, target = ends[::-1] if wanted.kind is ProposalKind.DEBIT else ends
    unique = transfer_reason(wanted.form_key)
    posting = Posting(source, target, wanted.amount_nanos, TransferKind.ADJUSTMENT, unique, note=reason)
    ledger.post([posting], now=now)
    customer_version.bump([wanted.customer_id])
    return int(db.session.scalars(select(TRANSFERS.c.id).where(TRANSFERS.c.reason == unique)).one())


def transfer_reason(form_key: str) -> str:
    """The unique reason of the form's transfer."""
    return f"adjustment:office:{form_key}"


def is_moved(form_key: str) -> bool:
    """Whether this form has already moved its money."""
    found = select(TRANSFERS.c.id).where(TRANSFERS.c.reason == transfer_reason(form_key))
    return db.session.scalar(found) is not None
