"""Mail sweep: sends due mails from the outbox one by one, with no open transaction during the SMTP exchange."""

import time

import structlog

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs.provider_calls import panel_settings
from panel.providers import mail
from panel.providers.mail import MailNotSent, OutgoingMail, Transport
from panel.security import encryption
from panel.security.encryption import DecryptionFailed
from panel.services import password_reset
from panel.services.accounts import email_links, invitations
from panel.services.mail import order_notifications, outbox
from panel.services.mail.outbox import Letter
from panel.settings import Settings

# Longer than connecting and sending can take, so that no other worker sends the same mail.
LEASE_SECONDS = 180.0
TURN_SECONDS = 20.0
CANNOT_OPEN = "The text cannot be decrypted: it was encrypted with another key."

log = structlog.get_logger()


def sweep(*, worker: str) -> int:
    """Send due mails until none is left, the server accepts none, or time is up. Returns the number tried."""
    settings = panel_settings()
    ends = time.monotonic() + TURN_SECONDS
    count = 0
    queue_reset_links()
    send_order_notifications()
    if not _is_any_due():
        return 0
    with mail.open_transport(settings) as mail_transport:
        while time.monotonic() < ends:
            with transaction():
                letter = outbox.lease_mail(lease_seconds=LEASE_SECONDS, now=utc_now())
            if letter is None:
                break
            count += 1
            if not _serve(letter, mail_transport, settings=settings):
                break
    return count


def queue_reset_links() -> None:
    """Queue the requested password reset links."""
    is_any = password_reset.is_any_requested()
    db.session.rollback()
    while is_any:
        with transaction():
            is_any = password_reset.process_next(now=utc_now())


def send_order_notifications() -> int:
    """Queue mails about ended orders, one transaction per customer. Returns the number of mails."""
    customers = order_notifications.customers_with_news(now=utc_now())
    db.session.rollback()
    count = 0
    for customer_id in customers:
        with transaction():
            count += order_notifications.notify_customer(customer_id, now=utc_now())
    return count


def purge() -> int:
    """Delete old sent mails together with the links in them."""
    now = utc_now()
    with transaction():
        return outbox.purge(now=now) + email_links.purge(now=now) + invitations.purge(now=now)


def _is_any_due() -> bool:
    found = outbox.is_any_due(now=utc_now())
    db.session.rollback()
    return found


def _serve(letter: Letter, mail_transport: Transport, *, settings: Settings) -> bool:
    """Send one mail and record the outcome. False when the server accepts no mail now."""
    try:
        mail_transport.send(_written(letter, settings=settings))
    except MailNotSent as failure:
        log.warning("mail_not_sent", mail=letter.id, kind=letter.kind, why=str(failure), is_final=failure.is_final)
        with transaction():
            outbox.note_failure(letter, error=str(failure), is_final=failure.is_final, now=utc_now())
        return not failure.stops
    with transaction():
        outbox.note_sent(letter, now=utc_now())
    return True


def _written(letter: Letter, *, settings: Settings) -> OutgoingMail:
    try:
        text = encryption.decrypt(letter.text, settings=settings) if letter.is_encrypted else letter.text
    except DecryptionFailed as error:
        raise MailNotSent(CANNOT_OPEN, is_final=True) from error
    unsubscribe_url = f"{settings.public_url}{letter.unsubscribe}" if letter.unsubscribe else ""
    return OutgoingMail(letter.key, letter.email, letter.subject, text, unsubscribe_url, letter.queued_at)
