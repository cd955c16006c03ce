"""Audit log of operators' actions: who, on what, and why. Append-only."""

from datetime import datetime

from panel.db import db
from panel.domain.errors import BadInput
from panel.models import AuditLogEntry

MAX_REASON_LENGTH = 200


def checked_reason(typed: str) -> str:
    """Validate an operator's reason. Raises BadInput."""
    reason = typed.strip()
    if not reason or len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
        raise BadInput(f"Write a reason of 1 to {MAX_REASON_LENGTH} characters on one line.", field="reason")
    return reason


def write(act: str, *, actor: str, subject: str, detail: str = "", now: datetime) -> None:
    """Add an entry in the transaction of the action itself."""
    db.session.add(AuditLogEntry(actor=actor, act=act, subject=subject, detail=detail, at=now))
    db.session.flush()
