"""Password reset: requested by email address, answered by email, completed with the link.

Against user enumeration, the request only stores the address, known or not, and the worker looks it up. So both cases
take the same time and leave the same traces.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from panel.db import db, execute_write, lock_rows
from panel.models import EmailLink, LinkPurpose, MailKind, ResetRequest, User
from panel.services import customer_version
from panel.services.accounts import email_links, sessions, throttles, two_factor, users
from panel.services.accounts.sessions import token_hash
from panel.services.api import keys as api_keys
from panel.services.api import webhook_endpoints
from panel.services.mail import outbox, security_alerts
from panel.services.mail import templates as mail_templates
from panel.services.money import ledger

LASTS = timedelta(hours=1)


def request_reset(email: str, *, now: datetime) -> None:
    """Store a reset request for this email address, known or not."""
    db.session.add(ResetRequest(email=users.normalize_email(email), asked_at=now))
    db.session.flush()


def is_any_requested() -> bool:
    return db.session.scalar(select(ResetRequest.id).limit(1)) is not None


def process_next(*, now: datetime) -> bool:
    """Process one request: queue the email if the address is known, otherwise drop it. False if there is none."""
    asked = db.session.scalar(lock_rows(select(ResetRequest).order_by(ResetRequest.id).limit(1), skip_locked=True))
    if asked is None:
        return False
    if now - asked.asked_at < LASTS:
        _process(asked, now=now)
    execute_write(delete(ResetRequest).where(ResetRequest.id == asked.id))
    return True


def _process(asked: ResetRequest, *, now: datetime) -> None:
    user_id = users.id_by_email(asked.email)
    if user_id is None:
        return
    # Locked before it is checked: an account that was closed in between has another email.
    ledger.lock_accounts([user_id])
    user = users.find_by_email(asked.email)
    if user is not None and user.closed_at is None and _may_mail(user, now=now):
        _mail_link(user, asked_at=asked.asked_at, now=now)


def _may_mail(user: User, *, now: datetime) -> bool:
    """Rate limit: one link an hour to an unconfirmed address; the earlier one still works."""
    last = email_links.last_made(user.email, LinkPurpose.RESET)
    return user.email_confirmed_at is not None or last is None or now - last >= LASTS


def _mail_link(user: User, *, asked_at: datetime, now: datetime) -> None:
    token = email_links.make(user.id, LinkPurpose.RESET, email=user.email, lasts=LASTS, now=now)
    written = mail_templates.write(MailKind.RESET, path=f"/reset-password/{token}", until=now + LASTS, at=asked_at)
    outbox.queue(
        user.email,
        written,
        user_id=user.id,
        key=f"reset:{token_hash(token)}",
        is_secret=True,
        now=now,
    )


def find(token: str, *, now: datetime) -> EmailLink | None:
    """The password reset link, if it is still valid."""
    return email_links.find(token, LinkPurpose.RESET, now=now)


def set_password(
    token: str, *, password_hash: str, ends_keys: bool = False, ends_webhooks: bool = False, now: datetime
) -> None:
    """Set the password with a one-time link and log out all devices. Raises LinkIsSpent.

    It doesn't log the user in: that takes the new password, and the second factor if there is one. If the email was
    never confirmed, everything created in the account before may be a stranger's, and is revoked.
    """
    if (found := find(token, now=now)) is not None:
        # Locked first, like when keys are created: a key created concurrently either exists before and is revoked, or
        # is created after.
        ledger.lock_accounts([found.user_id])
    link = email_links.use(token, LinkPurpose.RESET, now=now)
    is_new_owner = users.find(link.user_id).email_confirmed_at is None
    if ends_keys or is_new_owner:
        api_keys.revoke_all(link.user_id, now=now)
    if ends_webhooks or is_new_owner:
        webhook_endpoints.remove_all(link.user_id, now=now)
    if is_new_owner:
        two_factor.remove(link.user_id)
    users.set_password(link.user_id, password_hash=password_hash)
    email_links.end_all(link.user_id, now=now)
    email_links.end_changes(link.user_id, now=now)
    sessions.end_all(link.user_id, now=now)
    throttles.reset_counts(link.email, user_id=link.user_id)
    user = users.find(link.user_id)
    if user.email_confirmed_at is None and user.email == link.email:
        user.email_confirmed_at = now
        db.session.flush()
        customer_version.bump([user.id])
    security_alerts.password_changed(user.id, now=now)
