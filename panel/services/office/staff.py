"""Staff of the panel: the list that owners see, and invitations by email.

An accepted invitation makes an account and then changes its role in the inviter's name, so it follows the rules of
`account_access`: a role that moves money waits for a second person's approval, and an invitation of somebody who is no
longer an owner gives nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from panel.db import db
from panel.domain.accounts.roles import STAFF_ROLES, Action, Role
from panel.domain.errors import ActionRefused, BadInput, LinkIsSpent, NotFound, RoleNotAllowed
from panel.models import Invitation, LoginSession, ProposalKind, User
from panel.services import audit_log
from panel.services.accounts import invitations, users
from panel.services.office import second_approval
from panel.services.office.account_access import AccessChange

MAX_OPEN = 50


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of the staff."""

    id: int
    email: str
    role: Role
    has_second_factor: bool
    disabled_at: datetime | None
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Joined:
    """An account made with an invitation. `waits`: whether its role waits for approval."""

    user_id: int
    waits: bool


def members() -> list[Member]:
    """Everyone with a role in the office, owners first."""
    seen = select(func.max(LoginSession.seen_at)).where(LoginSession.user_id == User.id).scalar_subquery()
    columns = (User.id, User.email, User.role, User.encrypted_totp != "", User.disabled_at, seen)
    rows = db.session.execute(select(*columns).where(User.is_staff, User.closed_at.is_(None)))
    found = [Member(row[0], row[1], Role(row[2]), bool(row[3]), row[4], row[5]) for row in rows]
    # Sorted here: SQLite would read all customers in the order of their emails.
    return sorted(found, key=lambda member: (STAFF_ROLES.index(member.role), member.email))


def invite(email: str, role: str, *, operator_id: int, actor: str, now: datetime) -> Invitation:
    """Mail an invitation. Raises RoleNotAllowed, BadInput, or Refused if the address has an account."""
    audit_log.check_role(Action.MANAGE_STAFF, actor=actor)
    email = users.normalize_email(email)
    wanted = next((each for each in STAFF_ROLES if each.value == role), None)
    if wanted is None:
        raise BadInput("Choose a role.", field="role")
    if users.id_by_email(email) is not None:
        raise ActionRefused("There is an account with this email already. Change its role instead.", field="email")
    if len(invitations.open_ones(now=now)) >= MAX_OPEN:
        raise ActionRefused(f"{MAX_OPEN} invitations are open. Withdraw some first. Nothing was sent.", field="email")
    found = invitations.make(email, wanted, made_by=operator_id, inviter=actor, now=now)
    _log("staff invite", found, actor=actor, now=now)
    return found


def withdraw(invitation_id: int, *, actor: str, now: datetime) -> Invitation:
    """End an invitation before it is used. Raises RoleNotAllowed, or NotFound if it isn't open."""
    found = db.session.get(Invitation, invitation_id)
    if found is None or not invitations.end(invitation_id, now=now):
        raise NotFound("This invitation isn’t open any more.")
    _log("staff withdraw", found, actor=actor, now=now)
    return found


def join(token: str, *, password_hash: str, now: datetime) -> Joined:
    """Make the account of an invitation, with its role. Raises LinkIsSpent, or EmailTaken."""
    found = invitations.use(token, now=now)
    inviter = db.session.get_one(User, found.made_by)
    user = users.add_user(found.email, password_hash=password_hash, now=now)
    found.user_id = user.id
    db.session.flush()
    audit_log.write("staff join", actor=user.email, subject=f"customer {user.id}", detail=_described(found), now=now)
    reason = f"Invited by {inviter.email}"[: audit_log.MAX_REASON_LENGTH]
    change = AccessChange(ProposalKind.GIVE_ROLE, user.id, reason, inviter.id, inviter.email, Role(found.role))
    try:
        done = second_approval.change_access(change, now=now)
    except (ActionRefused, RoleNotAllowed) as error:
        raise LinkIsSpent(invitations.SPENT) from error
    return Joined(user.id, waits=done.proposal_id is not None)


def _log(action: str, found: Invitation, *, actor: str, now: datetime) -> None:
    audit_log.write(action, actor=actor, subject=f"invitation {found.id}", detail=_described(found), now=now)


def _described(found: Invitation) -> str:
    return f"{found.email}: {Role(found.role).label}"
