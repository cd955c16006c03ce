"""Account access: disable, enable, log out everywhere, and change the role of an account.

A disabled account can't be logged in to and its API keys don't work; its orders go on, and their money comes back to
it. What is done to an operator's account, and every change of a role, needs a second operator's approval: see
`second_approval`. Logging out everywhere doesn't, since the person can log in again.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update

from panel.db import db, lock_rows
from panel.domain.errors import ActionRefused, NotFound
from panel.models import LoginSession, ProposalKind, User
from panel.services import audit_log, customer_version
from panel.services.office import customers

_ROLES = (ProposalKind.MAKE_OPERATOR, ProposalKind.MAKE_CUSTOMER)
_ACTS = {
    ProposalKind.DISABLE: "disable",
    ProposalKind.ENABLE: "enable",
    ProposalKind.MAKE_OPERATOR: "make operator",
    ProposalKind.MAKE_CUSTOMER: "make customer",
}


@dataclass(frozen=True, slots=True)
class AccessChange:
    """A requested change of access or role. `operator_id`: None for the command line."""

    kind: ProposalKind
    user_id: int
    reason: str
    operator_id: int | None
    actor: str


def needs_approval(change: AccessChange) -> bool:
    """Whether a second operator must approve the change. Raises NotFound, BadInput, or Refused if it isn't possible."""
    user = _checked(change)
    return user.is_operator or change.kind in _ROLES


def apply(change: AccessChange, *, now: datetime) -> None:
    """Apply the change. Raises the same errors as `needs_approval`."""
    user, reason = _checked(change), audit_log.checked_reason(change.reason)
    match change.kind:
        case ProposalKind.DISABLE:
            user.disabled_at, user.disabled_reason = now, reason
        case ProposalKind.ENABLE:
            user.disabled_at, user.disabled_reason = None, ""
        case _:
            user.is_operator = change.kind is ProposalKind.MAKE_OPERATOR
    if change.kind is not ProposalKind.ENABLE:
        _end_sessions(user.id, now=now)
    _record(_ACTS[change.kind], user.id, reason, actor=change.actor, now=now)


def sign_out_everywhere(customer_id: int, *, reason: str, actor: str, now: datetime) -> int:
    """Log out every device of this account; returns how many there were. Raises NotFound or BadInput."""
    reason = audit_log.checked_reason(reason)
    _locked(customer_id)
    count = _end_sessions(customer_id, now=now)
    _record("sign out", customer_id, f"{count} devices: {reason}", actor=actor, now=now)
    return count


def active_operators(*, without: tuple[int, ...] = ()) -> int:
    """Number of active operators, excluding these."""
    active = select(func.count()).select_from(User).where(User.is_operator, User.disabled_at.is_(None))
    return db.session.scalar(active.where(User.id.not_in(without))) or 0


def is_active_operator(user_id: int) -> bool:
    """Whether this account is an active operator."""
    active = select(User.id).where(User.id == user_id, User.is_operator, User.disabled_at.is_(None))
    return db.session.scalar(active) is not None


def _checked(change: AccessChange) -> User:
    audit_log.checked_reason(change.reason)
    user = _locked(change.user_id)
    if user.id == change.operator_id:
        raise ActionRefused("This is your own account. Another operator must do it.")
    if why_not := _why_not(user, change.kind):
        raise ActionRefused(why_not)
    return user


def _why_not(user: User, kind: ProposalKind) -> str:
    """The reason why the change isn't possible; empty if it is."""
    match kind:
        case ProposalKind.DISABLE if user.disabled_at is not None:
            return f"{user.email} is disabled already."
        case ProposalKind.ENABLE if user.disabled_at is None:
            return f"{user.email} is not disabled."
        case ProposalKind.MAKE_CUSTOMER if not user.is_operator:
            return f"{user.email} is a customer already."
        case ProposalKind.MAKE_OPERATOR if user.is_operator:
            return f"{user.email} is an operator already."
        case ProposalKind.MAKE_OPERATOR if user.closed_at is not None or user.disabled_at is not None:
            return "A closed or disabled account can't become an operator's."
        case ProposalKind.MAKE_OPERATOR if user.email_confirmed_at is None:
            return f"The email {user.email} is not confirmed. Only a confirmed account can become an operator's."
    return ""


def _locked(user_id: int) -> User:
    # The row may have been read before the lock: what was read then is read again.
    statement = lock_rows(select(User).where(User.id == user_id))
    user: User | None = db.session.scalar(statement, execution_options={"populate_existing": True})
    if user is None:
        raise NotFound(f"There is no customer {user_id}.")
    return user


def _end_sessions(user_id: int, *, now: datetime) -> int:
    ended = (
        update(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None))
        .values(ended_at=now)
    )
    return len(db.session.execute(ended.returning(LoginSession.id)).all())


def _record(act: str, user_id: int, detail: str, *, actor: str, now: datetime) -> None:
    db.session.flush()
    customer_version.bump([user_id])
    audit_log.write(f"customers {act}", actor=actor, subject=customers.subject(user_id), detail=detail, now=now)
