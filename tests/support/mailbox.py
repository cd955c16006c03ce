"""Mail helpers: queue a mail, run the sweep, read the result."""

from typing import Any

from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import mails as job
from panel.models import Mail, MailKind
from panel.services.mail import outbox
from panel.services.mail.templates import MailText
from tests.support.smtp_server import SmtpServer


def a_mail(
    key: str = "order:1:completed",
    *,
    to: str = "customer@example.com",
    subject: str = "Order 1 is Completed",
    text: str = "It ran in full.\n",
    **given: Any,
) -> bool:
    with transaction():
        return outbox.queue(to, MailText(MailKind.ORDERS, subject, text), key=key, now=utc_now(), **given)


def sweep() -> int:
    return job.sweep(worker="test")


def sends_to(app: Flask, server: SmtpServer, url: str = "") -> None:
    app.config["PANEL"].smtp_url = url or server.url


def make_retries_due() -> None:
    """Make all retries and leases due now."""
    with transaction():
        db.session.execute(update(Mail).where(Mail.due_at.is_not(None)).values(due_at=utc_now()))


def the_mail() -> Mail:
    db.session.rollback()
    return db.session.scalars(select(Mail).order_by(Mail.id.desc()).limit(1)).one()
