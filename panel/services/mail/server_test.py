"""Test email from the office to the operator: through the outbox and the worker, as every email."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.models import Mail
from panel.services.mail import outbox, templates

KIND = "server_test"


@dataclass(frozen=True, slots=True)
class MailServerTest:
    """The newest test email of an operator: where it went, and whether it was sent."""

    email: str
    asked_at: datetime
    sent_at: datetime | None
    error: str

    @property
    def is_waiting(self) -> bool:
        return self.sent_at is None and not self.error


def queue(user_id: int, *, email: str, now: datetime) -> None:
    """Queue a test email to this operator. A second press within the same second sends one."""
    written = templates.write(KIND, at=now)
    key = f"{KIND}:{user_id}:{now:%Y%m%dT%H%M%S}"
    outbox.queue(email, subject=written.subject, text=written.text, kind=KIND, user_id=user_id, key=key, now=now)


def newest(user_id: int) -> MailServerTest | None:
    """This operator's newest test email."""
    mine = select(Mail.email, Mail.queued_at, Mail.sent_at, Mail.error).where(Mail.user_id == user_id)
    row = db.session.execute(mine.where(Mail.kind == KIND).order_by(Mail.id.desc()).limit(1)).first()
    return None if row is None else MailServerTest(*row)
