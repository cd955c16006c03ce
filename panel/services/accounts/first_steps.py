"""First steps of a new customer: confirm the email, add funds, place an order; each with how far it is."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import exists, select

from panel.db import db
from panel.models import Account, DepositRequest, Order, Transfer, TransferKind, User


class StepState(StrEnum):
    """How far a step is. Waiting: something was done, and someone else acts next."""

    DONE = "done"
    WAITING = "waiting"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """`deposit_reference`: the newest deposit request that waits for its payment; empty without one."""

    email: StepState
    funds: StepState
    order: StepState
    deposit_reference: str

    @property
    def are_done(self) -> bool:
        return {self.email, self.funds, self.order} == {StepState.DONE}

    @property
    def next_step(self) -> str:
        """The first step that the customer can take now; `order` when all are done."""
        steps = (("email", self.email), ("funds", self.funds), ("order", self.order))
        return next((name for name, state in steps if state is StepState.OPEN), "order")


def find(user_id: int) -> FirstSteps:
    """This customer's first steps, from what the account, the ledger and the orders say."""
    account = select(Account.id).where(Account.user_id == user_id).scalar_subquery()
    is_funded = exists().where(
        Transfer.to_account_id == account, Transfer.kind.in_((TransferKind.DEPOSIT, TransferKind.ADJUSTMENT))
    )
    row = db.session.execute(
        select(
            User.email_confirmed_at.is_not(None),
            is_funded,
            exists().where(Order.customer_id == user_id),
        ).where(User.id == user_id)
    ).one()
    reference = db.session.scalar(
        select(DepositRequest.reference)
        .where(
            DepositRequest.customer_id == user_id,
            DepositRequest.transfer_id.is_(None),
            DepositRequest.refused_at.is_(None),
        )
        .order_by(DepositRequest.id.desc())
        .limit(1)
    )
    is_confirmed, has_funds, has_order = (StepState.DONE if each else StepState.OPEN for each in row)
    if has_funds is StepState.OPEN and reference:
        has_funds = StepState.WAITING
    return FirstSteps(is_confirmed, has_funds, has_order, reference or "")
