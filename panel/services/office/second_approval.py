"""Approval by a second operator: one proposes, another approves or refuses, or the proposal expires.

It is needed for money above the limit (`approval_limit`), for a higher limit (`approval_amount`), and for changes to
the role or the access of people who move money (`account_access`). Owners propose the last two; another owner or an
operator approves. Nobody approves a proposal of their own. The command line approves too: it is the way for a panel
with one operator.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from panel.db import db, lock_rows
from panel.domain import money
from panel.domain.accounts.roles import Action, Role
from panel.domain.errors import ActionRefused, NotFound, StaleForm
from panel.models import IS_OPEN_PROPOSAL, Proposal, ProposalKind, ProposalState
from panel.services import audit_log
from panel.services.money import approval_limit, deposits, ledger
from panel.services.office import account_access, balance_changes
from panel.services.office.account_access import AccessChange
from panel.services.office.balance_changes import BalanceChange, BalanceEffect
from panel.services.stored_settings import approval_amount, changes

LASTS = timedelta(days=3)

MOVED_BALANCE = "The balance has changed since you looked. Nothing was moved. This is what would happen now."
SENT_TWICE = "This form was sent before, and what it asks for was done then. Nothing was done again."


@dataclass(frozen=True, slots=True)
class Done:
    """Outcome of a form: a transfer, an applied change, or a pending proposal."""

    transfer_id: int | None = None
    proposal_id: int | None = None
    # What the balance changed by; a deposit's payment may be more, by a fee, or less, by a bonus.
    moved_nanos: int = 0


def new_form_key() -> str:
    """An idempotency key for a form."""
    return secrets.token_hex(12)


def move_or_propose(wanted: BalanceChange, *, balance_nanos: int, limit_nanos: int, now: datetime) -> Done:
    """Move the money, or propose it above the limit. `balance_nanos`: the balance that the operator saw.

    Raises what `balance_changes.effect` raises, and StaleForm when the form was sent before or the balance moved.
    """
    _lock_accounts(wanted.customer_id, operator_id=wanted.operator_id)
    if balance_changes.is_moved(wanted.form_key) or _is_proposed(wanted.form_key):
        raise StaleForm(SENT_TWICE)
    _expire(wanted.customer_id, now=now)
    if wanted.deposit_id is not None and _waiting_for(wanted.deposit_id):
        raise ActionRefused("A proposal for this request waits for a second operator. Decide that one first.")
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
        amount_nanos=abs(found.change_nanos),
        now=now,
    )
    return Done(transfer_id=number, moved_nanos=abs(found.change_nanos))


def change_access(change: AccessChange, *, now: datetime) -> Done:
    """Change an account's access or role, or propose it if a second operator must approve.

    Raises what `account_access.needs_approval` raises, and Refused while the same proposal waits.
    """
    _lock_accounts(change.user_id, operator_id=change.operator_id)
    _expire(change.user_id, now=now)
    if not account_access.needs_approval(change) or change.operator_id is None:
        account_access.apply(change, now=now)
        return Done()
    mine = (Proposal.customer_id == change.user_id, IS_OPEN_PROPOSAL)
    if db.session.scalar(select(Proposal.id).where(*mine, Proposal.kind == change.kind)) is not None:
        raise ActionRefused("The same proposal is waiting for a second operator already.")
    key = new_form_key()
    wanted = BalanceChange(change.kind, change.user_id, 0, change.reason, key, change.operator_id, change.actor)
    return Done(proposal_id=_propose(wanted, role=change.role, now=now))


def propose_limit(limit_nanos: int, *, reason: str, operator_id: int, actor: str, now: datetime) -> int:
    """Propose a higher approval limit. Raises BadInput for the reason, or ActionRefused while another one waits."""
    reason = audit_log.checked_reason(reason)
    audit_log.check_role(Action.MANAGE_SETTINGS, actor=actor)
    _lock_accounts(operator_id, operator_id=operator_id)
    changes.lock()
    _expire(operator_id, now=now)
    waiting = (Proposal.kind == ProposalKind.APPROVAL_LIMIT, IS_OPEN_PROPOSAL)
    if db.session.scalar(select(Proposal.id).where(*waiting, Proposal.expires_at > now)) is not None:
        raise ActionRefused("Another limit is waiting for approval already. Decide that proposal first.")
    kind, key = ProposalKind.APPROVAL_LIMIT, new_form_key()
    return _propose(BalanceChange(kind, operator_id, limit_nanos, reason, key, operator_id, actor), now=now)


def _lock_accounts(user_id: int, *, operator_id: int | None) -> None:
    """Lock the account and the operator's own, so that an operator who is losing access can't act concurrently."""
    approval_limit.lock(user_id, operator_id=operator_id)
    if operator_id is not None and not account_access.is_active_operator(operator_id):
        raise ActionRefused("Your account is disabled or no longer has the role for this. Nothing was changed.")


def _is_proposed(form_key: str) -> bool:
    return db.session.scalar(select(Proposal.id).where(Proposal.form_key == form_key)) is not None


def _waiting_for(deposit_id: int) -> bool:
    waiting = select(Proposal.id).where(Proposal.deposit_id == deposit_id, IS_OPEN_PROPOSAL)
    return db.session.scalar(waiting) is not None


def _expire(customer_id: int, *, now: datetime) -> None:
    mine = (Proposal.customer_id == customer_id, IS_OPEN_PROPOSAL)
    db.session.execute(update(Proposal).where(*mine, Proposal.expires_at <= now).values(state=ProposalState.EXPIRED))


def _propose(wanted: BalanceChange, *, role: Role | None = None, now: datetime) -> int:
    proposal = Proposal(
        kind=wanted.kind,
        state=ProposalState.OPEN,
        customer_id=wanted.customer_id,
        amount_nanos=wanted.amount_nanos,
        reason=audit_log.checked_reason(wanted.reason),
        form_key=wanted.form_key,
        deposit_id=wanted.deposit_id,
        proposed_by=wanted.operator_id,
        proposed_at=now,
        expires_at=now + LASTS,
        answer="",
        role=role.value if role and wanted.kind is ProposalKind.GIVE_ROLE else "",
    )
    db.session.add(proposal)
    db.session.flush()
    _log("propose", proposal, actor=wanted.actor, detail=proposal.reason, now=now)
    return proposal.id


def confirm(
    proposal_id: int, *, operator_id: int | None, actor: str, balance_nanos: int | None, now: datetime
) -> int | None:
    """Apply the proposal once; returns a transfer's id if money moved. Raises NotFound, Refused, StaleForm, BadMoney.

    `operator_id`: None for the command line. `balance_nanos`: what the operator saw, None for whatever it is.
    """
    proposal = _held_open(proposal_id, operator_id=operator_id, now=now)
    if proposal.proposed_by == operator_id:
        raise ActionRefused("You proposed it. Another operator must approve it.")
    may_propose = account_access.is_active_operator if is_money(proposal) else account_access.is_active_owner
    if not may_propose(proposal.proposed_by):
        raise ActionRefused("Whoever proposed it no longer has the role for it. Refuse it.")
    if is_money(proposal):
        wanted = as_wanted(proposal, operator_id=operator_id, actor=actor)
        found = balance_changes.effect(wanted, limit_nanos=None, now=now)
        if balance_nanos is not None and found.before_nanos != balance_nanos:
            raise StaleForm(MOVED_BALANCE)
        proposal.transfer_id = balance_changes.move(wanted, actor=actor, now=now)
    elif proposal.kind == ProposalKind.APPROVAL_LIMIT:
        approval_amount.apply(proposal.amount_nanos, actor=actor, now=now)
    else:
        account_access.apply(as_change(proposal, operator_id=operator_id, actor=actor), now=now)
    _decide(proposal, ProposalState.CONFIRMED, operator_id=operator_id, actor=actor, now=now)
    db.session.flush()
    detail = "done" if proposal.transfer_id is None else f"line {proposal.transfer_id}"
    _log("confirm", proposal, actor=actor, detail=detail, now=now)
    return proposal.transfer_id


def refuse(proposal_id: int, *, reason: str, operator_id: int | None, actor: str, now: datetime) -> None:
    """Refuse the proposal; the operator who made it withdraws it this way. Raises NotFound or Refused."""
    reason = audit_log.checked_reason(reason)
    proposal = _held_open(proposal_id, operator_id=operator_id, now=now)
    is_own = proposal.proposed_by == operator_id
    _decide(proposal, ProposalState.REFUSED, operator_id=None if is_own else operator_id, actor=actor, now=now)
    proposal.answer = reason
    db.session.flush()
    _log("take back" if is_own else "refuse", proposal, actor=actor, detail=reason, now=now)


def refuse_deposit(reference: str, *, reason: str, actor: str, now: datetime) -> None:
    """Refuse a deposit request. Raises NotFound, or Refused while a proposal is pending."""
    deposit = deposits.find(reference)
    customer_id = deposit.customer_id
    ledger.lock_accounts([customer_id])
    _expire(customer_id, now=now)
    if _waiting_for(deposit.id):
        raise ActionRefused("A proposal for this request waits for a second operator. Decide that one first.")
    deposits.refuse(reference, reason=reason, now=now)
    subject, detail = f"customer {customer_id}", f"deposit {reference}: {reason}"
    audit_log.write("deposits refuse", actor=actor, subject=subject, detail=detail, now=now)


def _held_open(proposal_id: int, *, operator_id: int | None, now: datetime) -> Proposal:
    """The proposal and its customer's account, both locked. Raises NotFound, or Refused if it is decided."""
    customer_id = db.session.scalar(select(Proposal.customer_id).where(Proposal.id == proposal_id))
    if customer_id is None:
        raise NotFound(f"There is no proposal {proposal_id}.")
    _lock_accounts(customer_id, operator_id=operator_id)
    held = lock_rows(select(Proposal).where(Proposal.id == proposal_id))
    proposal: Proposal = db.session.execute(held, execution_options={"populate_existing": True}).scalar_one()
    if proposal.state != ProposalState.OPEN:
        raise ActionRefused(
            f"Proposal {proposal_id} was decided before: it is {proposal.state}. Nothing was done again."
        )
    if proposal.expires_at <= now:
        raise ActionRefused(
            f"Proposal {proposal_id} has run out. Nothing was done. Propose it again if it is still right."
        )
    return proposal


def _decide(proposal: Proposal, state: ProposalState, *, operator_id: int | None, actor: str, now: datetime) -> None:
    proposal.state, proposal.decided_at = state, now
    proposal.decided_by, proposal.decider = operator_id, actor


def is_money(proposal: Proposal) -> bool:
    return ProposalKind(proposal.kind).is_money


def as_wanted(proposal: Proposal, *, operator_id: int | None, actor: str) -> BalanceChange:
    """The proposed balance change, on behalf of this operator."""
    return BalanceChange(
        ProposalKind(proposal.kind),
        proposal.customer_id,
        proposal.amount_nanos,
        proposal.reason,
        proposal.form_key,
        operator_id,
        actor,
        deposit_id=proposal.deposit_id,
    )


def as_change(proposal: Proposal, *, operator_id: int | None, actor: str) -> AccessChange:
    """The proposed change of access or role, on behalf of this operator."""
    role = Role(proposal.role or Role.CUSTOMER)
    kind = ProposalKind(proposal.kind)
    return AccessChange(kind, proposal.customer_id, proposal.reason, operator_id, actor, role, is_approved=True)


def effect_of(proposal: Proposal, *, operator_id: int, actor: str, now: datetime) -> BalanceEffect | None:
    """Effect of confirming on the balance now; None if no money moves. Raises the same errors as confirming."""
    if proposal.kind == ProposalKind.APPROVAL_LIMIT:
        return None
    if not is_money(proposal):
        account_access.needs_approval(as_change(proposal, operator_id=operator_id, actor=actor))
        return None
    wanted = as_wanted(proposal, operator_id=operator_id, actor=actor)
    return balance_changes.effect(wanted, limit_nanos=None, now=now)


def _log(action: str, proposal: Proposal, *, actor: str, detail: str, now: datetime) -> None:
    amount = f" of {money.plain(proposal.amount_nanos)}" if proposal.amount_nanos else ""
    what = f"proposal {proposal.id}, {proposal.label}{amount}: {detail}"
    subject = f"customer {proposal.customer_id}"
    audit_log.write(f"approvals {action}", actor=actor, subject=subject, detail=what, now=now)
