"""Two operators for large amounts: one proposes, another confirms or refuses, or the proposal runs out.

Up to the limit money moves at once. Above it a proposal is written down, and nobody confirms a proposal of their own.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Row, Select, func, select, update
from sqlalchemy.orm import aliased

from panel.db import db, lock_rows
from panel.domain import money
from panel.domain.errors import NotFound, Refused, StaleForm
from panel.models import DepositRequest, Proposal, ProposalKind, ProposalState, User
from panel.services import audit_log
from panel.services.money import approval_limit, deposits, ledger
from panel.services.office import balance_changes
from panel.services.office.balance_changes import Effect, Wanted

LASTS = timedelta(days=3)
SHOWN_DECIDED = 50

MOVED_BALANCE = "The balance has changed since you looked. Nothing was moved. This is what would happen now."
SENT_TWICE = "This form was sent before, and what it asks for was done then. Nothing was done again."


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a form: money that moved as this transfer, or a proposal that waits."""

    transfer_id: int | None = None
    proposal_id: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A proposal with the people in it."""

    row: Proposal
    customer: str
    proposer: str
    decider: str
    reference: str
    state: ProposalState

    @property
    def is_open(self) -> bool:
        return self.state is ProposalState.OPEN

    @property
    def label(self) -> str:
        words = {"credit": "Credit", "debit": "Debit", "top_up": f"Top-up {self.reference}"}
        return words[self.row.kind]


def new_form_key() -> str:
    """A key for one form: what it asks for is done once."""
    return secrets.token_hex(12)


def act(wanted: Wanted, *, balance_nanos: int, limit_nanos: int, now: datetime) -> Done:
    """Move the money, or propose to where it is above the limit. `balance_nanos`: what the operator saw.

    Raises what `money_moves.effect` raises, and StaleForm when the form was sent before or the balance moved.
    """
    approval_limit.lock(wanted.customer_id, operator_id=wanted.operator_id)
    if balance_changes.is_moved(wanted.form_key) or _is_proposed(wanted.form_key):
        raise StaleForm(SENT_TWICE)
    _expire(wanted.customer_id, now=now)
    if wanted.top_up_id is not None and _waiting_for(wanted.top_up_id):
        raise Refused("A proposal for this request waits for a second operator. Decide that one first.")
    found = balance_changes.effect(wanted, limit_nanos=limit_nanos, now=now)
    if found.before_nanos != balance_nanos:
        raise StaleForm(MOVED_BALANCE)
    if found.needs_second:
        return Done(proposal_id=_propose(wanted, now=now))
    number = balance_changes.move(wanted, actor=wanted.actor, now=now)
    approval_limit.record(
        number,
        customer_id=wanted.customer_id,
        operator_id=wanted.operator_id,
        amount_nanos=wanted.amount_nanos,
        now=now,
    )
    return Done(transfer_id=number)


def _is_proposed(form_key: str) -> bool:
    return db.session.scalar(select(Proposal.id).where(Proposal.form_key == form_key)) is not None


def _waiting_for(top_up_id: int) -> bool:
    waiting = select(Proposal.id).where(Proposal.top_up_id == top_up_id, Proposal.state == ProposalState.OPEN)
    return db.session.scalar(waiting) is not None


def _expire(customer_id: int, *, now: datetime) -> None:
    mine = (Proposal.customer_id == customer_id, Proposal.state == ProposalState.OPEN)
    db.session.execute(update(Proposal).where(*mine, Proposal.expires_at <= now).values(state=ProposalState.EXPIRED))


def _propose(wanted: Wanted, *, now: datetime) -> int:
    proposal = Proposal(
        kind=wanted.kind,
        state=ProposalState.OPEN,
        customer_id=wanted.customer_id,
        amount_nanos=wanted.amount_nanos,
        reason=audit_log.checked_reason(wanted.reason),
        form_key=wanted.form_key,
        top_up_id=wanted.top_up_id,
        proposed_by=wanted.operator_id,
        proposed_at=now,
        expires_at=now + LASTS,
        answer="",
    )
    db.session.add(proposal)
    db.session.flush()
    _log("propose", proposal, actor=wanted.actor, detail=proposal.reason, now=now)
    return proposal.id


def confirm(proposal_id: int, *, operator_id: int, actor: str, balance_nanos: int, now: datetime) -> int:
    """Move what was proposed, once; the transfer's id. Raises NotFound, Refused, StaleForm or BadMoney."""
    proposal = _held_open(proposal_id, now=now)
    if proposal.proposed_by == operator_id:
        raise Refused("You proposed it. Another operator must confirm it.")
    wanted = as_wanted(proposal, operator_id=operator_id, actor=actor)
    found = balance_changes.effect(wanted, limit_nanos=None, now=now)
    if found.before_nanos != balance_nanos:
        raise StaleForm(MOVED_BALANCE)
    number = balance_changes.move(wanted, actor=actor, now=now)
    _decide(proposal, ProposalState.CONFIRMED, operator_id=operator_id, now=now)
    proposal.transfer_id = number
    db.session.flush()
    _log("confirm", proposal, actor=actor, detail=f"line {number}", now=now)
    return number


def refuse(proposal_id: int, *, reason: str, operator_id: int, actor: str, now: datetime) -> None:
    """End the proposal without moving anything; its own operator thereby takes it back. Raises NotFound or Refused."""
    reason = audit_log.checked_reason(reason)
    proposal = _held_open(proposal_id, now=now)
    is_own = proposal.proposed_by == operator_id
    _decide(proposal, ProposalState.REFUSED, operator_id=None if is_own else operator_id, now=now)
    proposal.answer = reason
    db.session.flush()
    _log("take back" if is_own else "refuse", proposal, actor=actor, detail=reason, now=now)


def refuse_top_up(reference: str, *, reason: str, actor: str, now: datetime) -> None:
    """End a request to add money without adding anything. Raises NotFound, or Refused while a proposal waits."""
    top_up = deposits.find(reference)
    customer_id = top_up.customer_id
    ledger.lock_accounts([customer_id])
    _expire(customer_id, now=now)
    if _waiting_for(top_up.id):
        raise Refused("A proposal for this request waits for a second operator. Decide that one first.")
    deposits.refuse(reference, reason=reason, now=now)
    subject, detail = f"customer {customer_id}", f"top-up {reference}: {reason}"
    audit_log.write("top-ups refuse", actor=actor, subject=subject, detail=detail, now=now)


def _held_open(proposal_id: int, *, now: datetime) -> Proposal:
    """The proposal with its customer's account, both held. Raises NotFound, or Refused when it is decided."""
    customer_id = db.session.scalar(select(Proposal.customer_id).where(Proposal.id == proposal_id))
    if customer_id is None:
        raise NotFound(f"There is no proposal {proposal_id}.")
    ledger.lock_accounts([customer_id])
    held = lock_rows(select(Proposal).where(Proposal.id == proposal_id))
    proposal: Proposal = db.session.execute(held, execution_options={"populate_existing": True}).scalar_one()
    if proposal.state != ProposalState.OPEN:
        raise Refused(f"Proposal {proposal_id} was decided before: it is {proposal.state}. Nothing was done again.")
    if proposal.expires_at <= now:
        raise Refused(f"Proposal {proposal_id} has run out. Nothing was moved. Propose it again if it is still right.")
    return proposal


def _decide(proposal: Proposal, state: ProposalState, *, operator_id: int | None, now: datetime) -> None:
    proposal.state, proposal.decided_by, proposal.decided_at = state, operator_id, now


def as_wanted(proposal: Proposal, *, operator_id: int, actor: str) -> Wanted:
    """What was proposed, as this operator would do it."""
    return Wanted(
        ProposalKind(proposal.kind),
        proposal.customer_id,
        proposal.amount_nanos,
        proposal.reason,
        proposal.form_key,
        operator_id,
        actor,
        top_up_id=proposal.top_up_id,
    )


def effect_of(proposal: Proposal, *, operator_id: int, actor: str, now: datetime) -> Effect:
    """What confirming would do now. Raises as confirming would."""
    wanted = as_wanted(proposal, operator_id=operator_id, actor=actor)
    return balance_changes.effect(wanted, limit_nanos=None, now=now)


def _log(act_: str, proposal: Proposal, *, actor: str, detail: str, now: datetime) -> None:
    what = f"proposal {proposal.id}, {proposal.kind} of {money.plain(proposal.amount_nanos)}: {detail}"
    subject = f"customer {proposal.customer_id}"
    audit_log.write(f"proposals {act_}", actor=actor, subject=subject, detail=what, now=now)


_CUSTOMER, _PROPOSER, _DECIDER = aliased(User), aliased(User), aliased(User)


def _shown() -> Select[Proposal, str, str, str, str]:
    return (
        select(
            Proposal,
            _CUSTOMER.email,
            _PROPOSER.email,
            func.coalesce(_DECIDER.email, ""),
            func.coalesce(DepositRequest.reference, ""),
        )
        .join(_CUSTOMER, _CUSTOMER.id == Proposal.customer_id)
        .join(_PROPOSER, _PROPOSER.id == Proposal.proposed_by)
        .outerjoin(_DECIDER, _DECIDER.id == Proposal.decided_by)
        .outerjoin(DepositRequest, DepositRequest.id == Proposal.top_up_id)
    )


def _as_shown(row: Row[Proposal, str, str, str, str], *, now: datetime) -> Shown:
    state = ProposalState(row[0].state)
    if state is ProposalState.OPEN and row[0].expires_at <= now:
        state = ProposalState.EXPIRED
    return Shown(*row, state)


def find(proposal_id: int, *, now: datetime) -> Shown | None:
    """The proposal of this number."""
    row = db.session.execute(_shown().where(Proposal.id == proposal_id)).first()
    return None if row is None else _as_shown(row, now=now)


def _is_waiting(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (Proposal.state == ProposalState.OPEN, Proposal.expires_at > now)


def waiting(*, now: datetime) -> list[Shown]:
    """What waits for a second operator, the oldest first."""
    rows = db.session.execute(_shown().where(*_is_waiting(now)).order_by(Proposal.id))
    return [_as_shown(row, now=now) for row in rows]


def decided(*, now: datetime) -> list[Shown]:
    """What was decided or ran out, the newest first."""
    over = _shown().where((Proposal.state != ProposalState.OPEN) | (Proposal.expires_at <= now))
    rows = db.session.execute(over.order_by(Proposal.id.desc()).limit(SHOWN_DECIDED))
    return [_as_shown(row, now=now) for row in rows]


def of_customer(customer_id: int, *, now: datetime) -> list[Shown]:
    """What waits about one customer."""
    mine = _shown().where(Proposal.customer_id == customer_id, *_is_waiting(now)).order_by(Proposal.id)
    return [_as_shown(row, now=now) for row in db.session.execute(mine)]
