"""Test email from the office to the operator: through the outbox and the worker, as every email."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.models import Mail, MailKind
from panel.services.mail import outbox, templates


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
    written = templates.write(MailKind.SERVER_TEST, at=now)
    key = f"{MailKind.SERVER_TEST}:{user_id}:{now:%Y%m%dT%H%M%S}"
    outbox.queue(email, written, user_id=user_id, key=key, now=now)


def newest(user_id: int) -> MailServerTest | None:
    """This operator's newest test email."""
    mine = select(Mail.email, Mail.queued_at, Mail.sent_at, Mail.error).where(Mail.user_id == user_id)
    row = db.session.execute(mine.where(Mail.kind == MailKind.SERVER_TEST).order_by(Mail.id.desc()).limit(1)).first()
    return None if row is None else MailServerTest(*row)
