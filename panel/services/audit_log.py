"""Audit log of operators' actions: who, on what, and why. Append-only.

Every action of the office is recorded here, in its own transaction, so this is also where services check the role: an
action that the role doesn't allow raises, and the transaction with its work is rolled back.
"""

from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.domain.accounts import roles
from panel.domain.accounts.roles import Action, Role
from panel.domain.errors import BadInput
from panel.models import AuditLogEntry, User

MAX_REASON_LENGTH = 200


def checked_reason(typed: str) -> str:
    """Validate an operator's reason. Raises BadInput."""
    reason = typed.strip()
    if not reason or len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
        raise BadInput(f"Write a reason of 1 to {MAX_REASON_LENGTH} characters on one line.", field="reason")
    return reason


def write(action: str, *, actor: str, subject: str, detail: str = "", now: datetime) -> None:
    """Add an entry in the transaction of the action itself. Raises RoleNotAllowed."""
    if (needed := roles.action_of(action)) is not None:
        check_role(needed, actor=actor)
    db.session.add(AuditLogEntry(actor=actor, action=action, subject=subject, detail=detail, at=now))
    db.session.flush()


def check_role(action: Action, *, actor: str) -> None:
    """Raises RoleNotAllowed unless this actor may take the action. The command line and the worker may take any."""
    if "@" not in actor:
        return
    active = (User.closed_at.is_(None), User.disabled_at.is_(None))
    role = db.session.scalar(select(User.role).where(User.email == actor, *active))
    roles.check(Role(role or Role.CUSTOMER), action)
