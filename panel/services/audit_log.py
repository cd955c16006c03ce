"""The audit log: each act of an operator, by whom, on what, and why. Lines are added and never changed."""

from datetime import datetime

from panel.db import db
from panel.models import AuditLine


def write(act: str, *, actor: str, subject: str, detail: str = "", now: datetime) -> None:
    """Add one line, in the transaction of the act itself."""
    db.session.add(AuditLine(actor=actor, act=act, subject=subject, detail=detail, at=now))
    db.session.flush()
