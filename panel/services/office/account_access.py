"""Account access: disable, enable, log out everywhere, and change the role of an account.

A disabled account can't be logged in to and its API keys don't work; its orders go on, and their money comes back to
it. Roles and the accounts of the staff are the owners' matter. Where a role that moves money is given, ended or
disabled, a second person must approve: see `second_approval`. Logging out everywhere needs no approval, since the
person can log in again. One active owner always remains.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, update

from panel.db import db, lock_rows
from panel.domain.accounts.roles import APPROVERS, Action, Role
from panel.domain.errors import ActionRefused, NotFound
from panel.models import LoginSession, ProposalKind, User
from panel.services import audit_log, customer_version
from panel.services.office import customers

_ROLES = (ProposalKind.GIVE_ROLE, ProposalKind.MAKE_CUSTOMER)
_LOGGED_AS = {ProposalKind.DISABLE: "disable", ProposalKind.ENABLE: "enable"}


@dataclass(frozen=True, slots=True)
class AccessChange:
    """A requested change of access or role. `operator_id`: None for the command line.

    `role`: what GIVE_ROLE gives. `is_approved`: an owner proposed it, and the actor approves it.
    """

    kind: ProposalKind
    user_id: int
    reason: str
    operator_id: int | None
    actor: str
    role: Role = Role.CUSTOMER
    is_approved: bool = False


def needs_approval(change: AccessChange) -> bool:
    """Whether a second person must approve the change.

    Raises NotFound, BadInput, RoleNotAllowed, or Refused if it isn't possible.
    """
    user = _checked(change)
    return user.role in APPROVERS or change.role in APPROVERS


def apply(change: AccessChange, *, now: datetime) -> None:
    """Apply the change. Raises the same errors as `needs_approval`."""
    user, reason = _checked(change), audit_log.checked_reason(change.reason)
    match change.kind:
        case ProposalKind.DISABLE:
            user.disabled_at, user.disabled_reason = now, reason
        case ProposalKind.ENABLE:
            user.disabled_at, user.disabled_reason = None, ""
        case _:
            user.role, reason = change.role.value, f"now {change.role.label}: {reason}"
    if change.kind is not ProposalKind.ENABLE:
        _end_sessions(user.id, now=now)
    _record(_LOGGED_AS.get(change.kind, "role"), user.id, reason, actor=change.actor, now=now)


def log_out_everywhere(customer_id: int, *, reason: str, actor: str, now: datetime) -> int:
    """Log out every device of this account; returns how many there were.

    Raises NotFound or BadInput, and RoleNotAllowed for an account of the staff unless the actor manages it.
    """
    reason = audit_log.checked_reason(reason)
    if _locked(customer_id).is_staff:
        audit_log.check_role(Action.MANAGE_STAFF, actor=actor)
    count = _end_sessions(customer_id, now=now)
    _record("sign out", customer_id, f"{count} devices: {reason}", actor=actor, now=now)
    return count


def active_operators(*, without: tuple[int, ...] = ()) -> int:
    """Number of active owners and operators, who can approve, excluding these."""
    # The first condition follows from the second, and lets the index of the staff be used.
    active = select(func.count()).where(User.is_staff, User.role.in_(APPROVERS), User.disabled_at.is_(None))
    return db.session.scalar(active.where(User.id.not_in(without))) or 0


def is_active_operator(user_id: int) -> bool:
    """Whether this account is an active owner's or operator's."""
    active = select(User.id).where(User.id == user_id, User.role.in_(APPROVERS), User.disabled_at.is_(None))
    return db.session.scalar(active) is not None


def is_active_owner(user_id: int) -> bool:
    """Whether this account is an active owner's, who manages the staff."""
    active = select(User.id).where(User.id == user_id, User.role == Role.OWNER, User.disabled_at.is_(None))
    return db.session.scalar(active) is not None


def _checked(change: AccessChange) -> User:
    audit_log.checked_reason(change.reason)
    user = _locked(change.user_id)
    if not change.is_approved and (user.is_staff or change.kind in _ROLES):
        audit_log.check_role(Action.MANAGE_STAFF, actor=change.actor)
    if user.id == change.operator_id:
        raise ActionRefused("This is your own account. Another operator must do it.")
    if why_not := _why_not(user, change):
        raise ActionRefused(why_not)
    return user


def _why_not(user: User, change: AccessChange) -> str:
    """The reason why the change isn't possible; empty if it is."""
    takes_rights = change.kind is not ProposalKind.ENABLE and change.role is not Role.OWNER
    if takes_rights and user.role == Role.OWNER and user.disabled_at is None and _is_only_owner(user):
        return f"{user.email} is the only owner. Make another account the owner first."
    match change.kind:
        case ProposalKind.DISABLE if user.disabled_at is not None:
            return f"{user.email} is disabled already."
        case ProposalKind.ENABLE if user.disabled_at is None:
            return f"{user.email} is not disabled."
        case ProposalKind.MAKE_CUSTOMER if not user.is_staff:
            return f"{user.email} is a customer already."
        case ProposalKind.GIVE_ROLE if user.role == change.role:
            return f"The role of {user.email} is {change.role.label.lower()} already."
        case ProposalKind.GIVE_ROLE if user.closed_at is not None or user.disabled_at is not None:
            return "A closed or disabled account can’t get a role in the office."
        case ProposalKind.GIVE_ROLE if user.email_confirmed_at is None:
            return f"The email {user.email} is not confirmed. Only a confirmed account can get a role in the office."
    return ""


def _is_only_owner(user: User) -> bool:
    others = select(User.id).where(User.role == Role.OWNER, User.disabled_at.is_(None), User.id != user.id)
    return db.session.scalar(others.limit(1)) is None


def _locked(user_id: int) -> User:
    # All owners are locked with it, in one order: two of them can't end each other's role at the same time. Rows may
    # have been read before the lock, so they are read again.
    statement = lock_rows(select(User).where(or_(User.id == user_id, User.role == Role.OWNER)).order_by(User.id))
    rows = db.session.scalars(statement, execution_options={"populate_existing": True})
    user: User | None = next((row for row in rows.all() if row.id == user_id), None)
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


def _record(action: str, user_id: int, detail: str, *, actor: str, now: datetime) -> None:
    db.session.flush()
    customer_version.bump([user_id])
    audit_log.write(f"customers {action}", actor=actor, subject=customers.subject(user_id), detail=detail, now=now)
