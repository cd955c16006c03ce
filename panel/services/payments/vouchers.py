"""Vouchers: codes made by operators, which customers redeem on the page where they add funds.

A code is shown once, when it is made, and stored as a hash. A redemption is a deposit whose unique reason names the
voucher and the customer, so a customer redeems a voucher once; how many customers can is counted on the voucher's row.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update

from panel.db import db, table_of
from panel.domain import money
from panel.domain.errors import ActionRefused, BadInput, NotFound, StaleForm
from panel.models import Transfer, User, Voucher
from panel.services import audit_log, customer_version
from panel.services.money import approval_limit, deposits, ledger

VOUCHERS = table_of(Voucher)
TRANSFERS = table_of(Transfer)

MAX_USES = 100_000
MAX_CODES = 100
MAX_NOTE_LENGTH = 100
# Without signs that are easily confused; 16 of 30 are 78 bits, which nobody guesses.
_SIGNS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 16
_GROUP = 4

SENT_TWICE = "This form was sent before. The codes it made were shown then, and none were made again."


@dataclass(frozen=True, slots=True)
class NewVouchers:
    """Vouchers to make. `made_by`: None for the command line, which has no limit."""

    amount_nanos: int
    uses: int
    codes: int
    expires_at: datetime | None
    note: str
    form_key: str
    made_by: int | None
    actor: str

    @property
    def worth_nanos(self) -> int:
        """Sum that they add to balances if everything is redeemed."""
        return self.amount_nanos * self.uses * self.codes


def make(wanted: NewVouchers, *, limit_nanos: int, now: datetime) -> list[str]:
    """Make vouchers; returns their codes, which nothing shows again.

    Raises BadInput or BadMoney for a field, StaleForm if the form was sent before, Refused above the approval limit.
    """
    note = _checked(wanted, now=now)
    if wanted.made_by is not None:
        approval_limit.lock(wanted.made_by, operator_id=wanted.made_by)
        earlier = select(VOUCHERS.c.id).where(VOUCHERS.c.form_key == wanted.form_key).limit(1)
        if db.session.scalar(earlier) is not None:
            raise StaleForm(SENT_TWICE)
        lately = approval_limit.sums(wanted.made_by, operator_id=wanted.made_by, now=now).operator_nanos
        if lately + wanted.worth_nanos > limit_nanos:
            raise ActionRefused(
                f"These vouchers are worth {money.plain(wanted.worth_nanos)}, which is above what one operator "
                "may move in 24 hours. Make fewer of them, or use the command flask vouchers make. Nothing was made.",
                field="amount",
            )
    codes = [_new_code() for _ in range(wanted.codes)]
    db.session.add_all(
        Voucher(
            code_hash=_hash(code),
            starts_with=code[:_GROUP],
            note=note,
            amount_nanos=wanted.amount_nanos,
            uses=wanted.uses,
            expires_at=wanted.expires_at,
            made_at=now,
            made_by=wanted.made_by,
            form_key=wanted.form_key,
        )
        for code in codes
    )
    db.session.flush()
    worth = f"{len(codes)} of {money.plain(wanted.amount_nanos)}, {wanted.uses} uses each: {note}"
    audit_log.write("vouchers make", actor=wanted.actor, subject="vouchers", detail=worth, now=now)
    return codes


def _checked(wanted: NewVouchers, *, now: datetime) -> str:
    deposits.check_amount(wanted.amount_nanos)
    if not 1 <= wanted.uses <= MAX_USES:
        raise BadInput(f"Enter how many customers can redeem it, from 1 to {MAX_USES:,}.", field="uses")
    if not 1 <= wanted.codes <= MAX_CODES:
        raise BadInput(f"Enter how many codes to make, from 1 to {MAX_CODES}.", field="codes")
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise BadInput("The last day must not be in the past.", field="expires")
    note = " ".join(wanted.note.split())
    if not 1 <= len(note) <= MAX_NOTE_LENGTH or not note.isprintable():
        raise BadInput(f"Enter what it is for, in 1 to {MAX_NOTE_LENGTH} characters.", field="note")
    return note


def redeem(code: str, *, customer_id: int, now: datetime) -> int:
    """Add the voucher's amount to the customer's balance, once; returns the amount in nanos.

    Raises BadInput for a code that isn't one of ours, Refused if it can't be redeemed, also by this customer.
    """
    # Lock order: the customer's account first, as everywhere that moves the customer's money.
    ledger.lock_accounts([customer_id])
    voucher = db.session.scalar(select(Voucher).where(Voucher.code_hash == _hash(_stored_code(code))))
    if voucher is None:
        raise BadInput("This code isn’t valid. Check each letter and digit.", field="code")
    if db.session.scalars(select(User.is_staff).where(User.id == customer_id)).one():
        raise ActionRefused("Operators can’t redeem vouchers. Nothing was added.", field="code")
    reason = _reason(voucher.id, customer_id)
    if db.session.scalar(select(TRANSFERS.c.id).where(TRANSFERS.c.reason == reason)) is not None:
        raise ActionRefused("You have redeemed this voucher already. Nothing was added again.", field="code")
    used = (
        update(VOUCHERS)
        .where(
            VOUCHERS.c.id == voucher.id,
            VOUCHERS.c.used < VOUCHERS.c.uses,
            VOUCHERS.c.revoked_at.is_(None),
            or_(VOUCHERS.c.expires_at.is_(None), VOUCHERS.c.expires_at > now),
        )
        .values(used=VOUCHERS.c.used + 1)
        .returning(VOUCHERS.c.id)
    )
    if db.session.execute(used).first() is None:
        db.session.refresh(voucher)
        raise ActionRefused(f"This voucher {_why_not(voucher, now=now)}. Nothing was added.", field="code")
    note = f"Voucher {voucher.starts_with}…"
    ledger.deposit(customer_id, amount_nanos=voucher.amount_nanos, reason=reason, note=note, now=now)
    customer_version.bump([customer_id])
    return int(voucher.amount_nanos)


def _why_not(voucher: Voucher, *, now: datetime) -> str:
    if voucher.revoked_at is not None:
        return "was withdrawn"
    if voucher.expires_at is not None and voucher.expires_at <= now:
        return "has expired"
    return "has been used up"


def revoke(voucher_id: int, *, actor: str, now: datetime) -> None:
    """Withdraw a voucher; what was redeemed stays. Raises NotFound, or Refused if it is withdrawn already."""
    done = update(VOUCHERS).where(VOUCHERS.c.id == voucher_id, VOUCHERS.c.revoked_at.is_(None)).values(revoked_at=now)
    if db.session.execute(done.returning(VOUCHERS.c.id)).first() is None:
        if db.session.get(Voucher, voucher_id) is None:
            raise NotFound(f"There is no voucher {voucher_id}.")
        raise ActionRefused("This voucher is withdrawn already. Nothing was changed.")
    audit_log.write("vouchers revoke", actor=actor, subject=f"voucher {voucher_id}", detail="", now=now)


def listed(*, after: int | None, most: int) -> list[Voucher]:
    """Vouchers, newest first; `after` is the pagination cursor."""
    statement = select(Voucher).order_by(Voucher.id.desc()).limit(most)
    if after is not None:
        statement = statement.where(Voucher.id < after)
    return list(db.session.scalars(statement))


def is_any_open(*, now: datetime) -> bool:
    """Whether there is a voucher that somebody could redeem."""
    unexpired = or_(Voucher.expires_at.is_(None), Voucher.expires_at > now)
    usable = (Voucher.revoked_at.is_(None), Voucher.used < Voucher.uses, unexpired)
    return db.session.scalar(select(Voucher.id).where(*usable).limit(1)) is not None


def _reason(voucher_id: int, customer_id: int) -> str:
    return f"deposit:voucher:{voucher_id}:{customer_id}"


def _new_code() -> str:
    signs = "".join(secrets.choice(_SIGNS) for _ in range(_LENGTH))
    return "-".join(signs[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def _stored_code(code: str) -> str:
    """The code as it was shown, however it was typed."""
    signs = "".join(sign for sign in code.upper() if sign.isalnum())[: 2 * _LENGTH]
    return "-".join(signs[start : start + _GROUP] for start in range(0, len(signs), _GROUP))


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode(errors="replace")).hexdigest()
