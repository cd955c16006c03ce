"""A customer's own deposit as its page shows it, and how long confirmation takes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from panel.db import db, timed_cache
from panel.domain.errors import NotFound
from panel.domain.payment import PaymentMethod
from panel.models import DepositRequest, Transfer
from panel.services import delivery_times
from panel.services.delivery_times import Measure
from panel.services.money.deposits import stored_reference

# The time to confirmation is measured over these deposits.
MEASURED = timedelta(days=90)
NEWEST_DEPOSITS = 1_000

_COSTS = (
    DepositRequest.terms_fee_basis_points + DepositRequest.terms_fee_nanos + DepositRequest.terms_bonus_basis_points
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
    method_name: str
    # Whether fee or bonus depend on what arrives.
    has_costs: bool

    @property
    def asked_nanos(self) -> int:
        """Amount to pay: the deposit and our fee."""
        return self.amount_nanos + self.fee_nanos

    @property
    def paid_nanos(self) -> int:
        """Amount that arrived, once it is confirmed: it may differ from the requested one."""
        return (self.credited_nanos or 0) + self.fee_nanos

    @property
    def method_label(self) -> str:
        return self.method_name or self.method.label

    @property
    def is_manual(self) -> bool:
        return self.method is PaymentMethod.MANUAL

    @property
    def is_waiting(self) -> bool:
        return self.line is None and self.refused_at is None


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
            DepositRequest.method_name,
            (_COSTS > 0).label("has_costs"),
            (DepositRequest.reversed_nanos + DepositRequest.owed_nanos).label("taken_back_nanos"),
        )
        .outerjoin(Transfer, Transfer.id == DepositRequest.transfer_id)
        .where(DepositRequest.reference == stored_reference(reference), DepositRequest.customer_id == customer_id)
    )
    row = db.session.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"There is no deposit with the reference {reference.strip()}.")
    return OwnDeposit(**{**row._mapping, "method": PaymentMethod(row.method)})


def time_to_confirmation(
    method: PaymentMethod = PaymentMethod.MANUAL, name: str = "", *, now: datetime
) -> Measure | None:
    """How long confirmation took by this method, over the deposits of the last 90 days; None where they are few."""
    key = f"deposit times {method} {name}"
    return timed_cache.cached(key, lambda: _measure(method, name, now=now), max_age=delivery_times.MAX_AGE, now=now)


def _measure(method: PaymentMethod, name: str, *, now: datetime) -> Measure | None:
    is_mine = (DepositRequest.method == method, DepositRequest.method_name == name)
    statement = (
        select(DepositRequest.requested_at, Transfer.at)
        .join(Transfer, Transfer.id == DepositRequest.transfer_id)
        .where(DepositRequest.requested_at >= now - MEASURED, *is_mine)
        .order_by(DepositRequest.id.desc())
        .limit(NEWEST_DEPOSITS)
    )
    rows = db.session.execute(statement)
    return delivery_times.measure(int((confirmed - requested).total_seconds()) for requested, confirmed in rows)
