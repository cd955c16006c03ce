"""Approvals: proposals waiting for a second operator, and decided ones."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import aliased

from panel import app_context
from panel.db import db
from panel.domain.accounts.roles import Role
from panel.models import IS_OPEN_PROPOSAL, DepositRequest, Proposal, ProposalKind, ProposalState, User

SHOWN_DECIDED = 50

_OUTCOMES = {
    ProposalState.OPEN: "Waiting for approval",
    ProposalState.CONFIRMED: "Approved",
    ProposalState.REFUSED: "Refused",
    ProposalState.EXPIRED: "Expired",
}
_CONSEQUENCES = {
    ProposalKind.DISABLE: "Every device is logged out, nobody can log in, and the API keys stop working.",
    ProposalKind.ENABLE: "The person can log in again, and the API keys work as before.",
    ProposalKind.MAKE_CUSTOMER: "Every device is logged out, and the account can no longer use the office.",
}


@dataclass(frozen=True, slots=True)
class ProposalDetail:
    """A proposal with the names of the people involved."""

    row: Proposal
    customer: str
    proposer: str
    # Who decided; the proposer as long as nobody has.
    decider: str
    reference: str
    state: ProposalState

    @property
    def is_open(self) -> bool:
        return self.state is ProposalState.OPEN

    @property
    def label(self) -> str:
        label = self.row.label
        return f"{label} {self.reference}" if self.reference else label

    @property
    def outcome(self) -> str:
        return _OUTCOMES[self.state]

    @property
    def consequence(self) -> str:
        """The effect of approval as a sentence; empty for money, whose amounts are shown instead."""
        if self.row.role:
            role = Role(self.row.role).label.lower()
            return f"Every device is logged out. After the next login the account has the role {role}."
        if self.row.kind == ProposalKind.APPROVAL_LIMIT:
            limit = app_context.money_text(self.row.amount_nanos)
            return f"From then on, one person alone can move up to {limit} in 24 hours for a customer."
        return _CONSEQUENCES.get(ProposalKind(self.row.kind), "")

    @property
    def is_money(self) -> bool:
        return ProposalKind(self.row.kind).is_money


_CUSTOMER, _PROPOSER, _DECIDER = aliased(User), aliased(User), aliased(User)


def _shown() -> Select[Proposal, str, str, str, str]:
    return (
        select(
            Proposal,
            _CUSTOMER.email,
            _PROPOSER.email,
            func.coalesce(_DECIDER.email, func.nullif(Proposal.decider, ""), _PROPOSER.email),
            func.coalesce(DepositRequest.reference, ""),
        )
        .join(_CUSTOMER, _CUSTOMER.id == Proposal.customer_id)
        .join(_PROPOSER, _PROPOSER.id == Proposal.proposed_by)
        .outerjoin(_DECIDER, _DECIDER.id == Proposal.decided_by)
        .outerjoin(DepositRequest, DepositRequest.id == Proposal.deposit_id)
    )


def _as_shown(row: Row[Proposal, str, str, str, str], *, now: datetime) -> ProposalDetail:
    state = ProposalState(row[0].state)
    if state is ProposalState.OPEN and row[0].expires_at <= now:
        state = ProposalState.EXPIRED
    return ProposalDetail(*row, state)


def find(proposal_id: int, *, now: datetime) -> ProposalDetail | None:
    """The proposal with this id."""
    row = db.session.execute(_shown().where(Proposal.id == proposal_id)).first()
    return None if row is None else _as_shown(row, now=now)


def _is_waiting(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (IS_OPEN_PROPOSAL, Proposal.expires_at > now)


def waiting(*, now: datetime) -> list[ProposalDetail]:
    """Proposals waiting for a second operator, oldest first."""
    rows = db.session.execute(_shown().where(*_is_waiting(now)).order_by(Proposal.id))
    return [_as_shown(row, now=now) for row in rows]


def decided(*, now: datetime) -> list[ProposalDetail]:
    """Decided and expired proposals, newest first."""
    over = _shown().where((Proposal.state != ProposalState.OPEN) | (Proposal.expires_at <= now))
    rows = db.session.execute(over.order_by(Proposal.id.desc()).limit(SHOWN_DECIDED))
    return [_as_shown(row, now=now) for row in rows]


def of_customer(customer_id: int, *, now: datetime) -> list[ProposalDetail]:
    """Proposals waiting that concern one customer."""
    mine = _shown().where(Proposal.customer_id == customer_id, *_is_waiting(now)).order_by(Proposal.id)
    return [_as_shown(row, now=now) for row in db.session.execute(mine)]
