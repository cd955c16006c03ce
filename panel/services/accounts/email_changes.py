"""Email confirmation and email changes: a link confirms a new account, and a change needs a link in both mailboxes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from panel.db import db, execute_write, lock_rows
from panel.domain.accounts import email_address
from panel.domain.errors import BadInput, LinkIsSpent
from panel.models import EmailChange, EmailLink, LinkPurpose, MailKind, User
from panel.services import customer_version
from panel.services.accounts import email_links, throttles, users
from panel.services.accounts.sessions import token_hash
from panel.services.mail import outbox, security_alerts
from panel.services.mail import templates as mail_templates

CONFIRM_WITHIN = timedelta(days=3)
CHANGE_WITHIN = timedelta(hours=24)
# Minimum time between mails of one kind to an unconfirmed address, which may be a stranger's.
UNCONFIRMED_EVERY = timedelta(hours=1)
AGAIN = "Look in the spam folder too, or send another link in {wait}."


class Opened(StrEnum):
    """Result of opening a link of an email change."""

    WAITING = "waiting"
    DONE = "done"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class ConfirmationSide:
    """One of the two links of an email change, with its side (old or new address)."""

    change: EmailChange
    is_new: bool

    @property
    def is_opened(self) -> bool:
        return (self.change.new_opened_at if self.is_new else self.change.old_opened_at) is not None


def ask_to_confirm(user_id: int, *, now: datetime) -> bool:
    """Mail a confirmation link. False if the address is already confirmed. Raises Refused for a closed account."""
    email_links.hold_open(user_id)
    user = users.find(user_id)
    if user.email_confirmed_at is not None:
        return False
    token = email_links.make(user_id, LinkPurpose.CONFIRM, email=user.email, lasts=CONFIRM_WITHIN, now=now)
    until = now + CONFIRM_WITHIN
    _mail_link(user.email, user_id, MailKind.CONFIRM_EMAIL, page="/confirm-email", token=token, until=until, now=now)
    return True


def check_hour(email: str, purpose: LinkPurpose, *, now: datetime) -> None:
    """Raises TooManyTries when a link was mailed to this unconfirmed address less than an hour ago: it may be a
    stranger's mailbox."""
    last = email_links.last_made(email, purpose)
    if last is not None:
        _refuse_within_the_hour(last, f"That link still works. {AGAIN}", now=now)


def _refuse_within_the_hour(last: datetime, what_to_do: str, *, now: datetime) -> None:
    left = last + UNCONFIRMED_EVERY - now
    if left > timedelta():
        raise throttles.too_many(f"We sent a link to this address less than an hour ago. {what_to_do}", left=left)


def find_confirmation(token: str, *, now: datetime) -> EmailLink | None:
    return email_links.find(token, LinkPurpose.CONFIRM, now=now)


def confirm(token: str, *, now: datetime) -> None:
    """Confirm the address. Raises LinkIsSpent, also if the account has another address by now."""
    link = email_links.use(token, LinkPurpose.CONFIRM, now=now)
    same = update(User).where(User.id == link.user_id, User.email == link.email, User.closed_at.is_(None))
    if not execute_write(same.values(email_confirmed_at=now)):
        raise LinkIsSpent("This link no longer works: the account has another email now.")
    customer_version.bump([link.user_id])


def has_confirmed(token: str) -> bool:
    """Whether this is a confirmation link that has ended, of an account whose email is confirmed by now."""
    ended = (
        select(EmailLink.id)
        .join(User, User.id == EmailLink.user_id)
        .where(
            EmailLink.token_hash == token_hash(token),
            EmailLink.purpose == LinkPurpose.CONFIRM,
            EmailLink.ended_at.is_not(None),
            User.email == EmailLink.email,
            User.email_confirmed_at.is_not(None),
            User.closed_at.is_(None),
        )
    )
    return db.session.scalar(ended) is not None


def ask_to_change(user_id: int, new_email: str, *, now: datetime) -> EmailChange:
    """Mail a link to both addresses; the change happens when both were opened. Raises BadInput or Refused.

    Replaces an earlier request. An address with an account gets no link, and the requester can't tell.
    """
    new_email = users.normalize_email(new_email)
    email_links.hold_open(user_id)
    user = users.find(user_id)
    if user.email in email_address.spellings(new_email):
        raise BadInput("This is your email already.", field="email")
    # Counted per requester: others' requests must not block anybody's own change.
    asked_before = (EmailChange.user_id == user_id, EmailChange.new_email == new_email)
    last = db.session.scalar(select(func.max(EmailChange.asked_at)).where(*asked_before))
    if last is not None:
        _refuse_within_the_hour(last, AGAIN, now=now)
    email_links.end_changes(user_id, now=now)
    is_taken = users.find_by_email(new_email) is not None
    old_token = email_links.new_token() if user.email_confirmed_at is not None else None
    new_token = None if is_taken else email_links.new_token()
    asked = EmailChange(
        user_id=user_id,
        old_email=user.email,
        new_email=new_email,
        old_token_hash=None if old_token is None else token_hash(old_token),
        new_token_hash=None if new_token is None else token_hash(new_token),
        asked_at=now,
        expires_at=now + CHANGE_WITHIN,
    )
    db.session.add(asked)
    db.session.flush()
    _mail_both(asked, old_token=old_token, new_token=new_token, now=now)
    return asked


def _mail_both(asked: EmailChange, *, old_token: str | None, new_token: str | None, now: datetime) -> None:
    page, until = "/change-email", asked.expires_at
    if old_token is not None:
        kind, values = MailKind.CHANGE_EMAIL_OLD, {"new_email": asked.new_email}
        _mail_link(asked.old_email, asked.user_id, kind, page=page, token=old_token, until=until, now=now, **values)
    if new_token is not None:
        kind = MailKind.CHANGE_EMAIL_NEW
        _mail_link(asked.new_email, asked.user_id, kind, page=page, token=new_token, until=until, now=now)
    else:
        kind = MailKind.CHANGE_EMAIL_TAKEN
        outbox.queue(asked.new_email, mail_templates.write(kind), key=f"{kind}:{asked.id}", now=now)


def _mail_link(
    email: str, user_id: int, kind: MailKind, *, page: str, token: str, until: datetime, now: datetime, **facts: str
) -> None:
    written = mail_templates.write(kind, path=f"{page}/{token}", until=until, **facts)
    outbox.queue(
        email,
        written,
        user_id=user_id,
        key=f"{kind}:{token_hash(token)}",
        is_secret=True,
        now=now,
    )


def open_change(user_id: int, *, now: datetime) -> EmailChange | None:
    """The pending email change."""
    return db.session.scalar(
        select(EmailChange).where(
            EmailChange.user_id == user_id, EmailChange.ended_at.is_(None), EmailChange.expires_at > now
        )
    )


def find_side(token: str, *, now: datetime) -> ConfirmationSide | None:
    """The pending change this link belongs to; None if the link has expired."""
    hashed = token_hash(token)
    found = db.session.scalar(
        select(EmailChange).where(
            (EmailChange.old_token_hash == hashed) | (EmailChange.new_token_hash == hashed),
            EmailChange.ended_at.is_(None),
            EmailChange.expires_at > now,
        )
    )
    return None if found is None else ConfirmationSide(found, is_new=found.new_token_hash == hashed)


def open_side(token: str, *, now: datetime) -> Opened:
    """Open one of the two links; the second one completes the change. Raises LinkIsSpent."""
    side = find_side(token, now=now)
    if side is None:
        raise LinkIsSpent("This link no longer works: it was used, it expired, or a newer change replaced it.")
    # Locked, so that two links opened at the same time see each other.
    asked = db.session.execute(
        lock_rows(select(EmailChange).where(EmailChange.id == side.change.id)).execution_options(populate_existing=True)
    ).scalar_one()
    if asked.ended_at is not None:
        raise LinkIsSpent("This link no longer works: the change was made, or a newer one replaced it.")
    if side.is_new:
        asked.new_opened_at = asked.new_opened_at or now
    else:
        asked.old_opened_at = asked.old_opened_at or now
    db.session.flush()
    is_old_open = asked.old_token_hash is None or asked.old_opened_at is not None
    return _make(asked, now=now) if is_old_open and asked.new_opened_at is not None else Opened.WAITING


def _make(asked: EmailChange, *, now: datetime) -> Opened:
    """Set the new email, unless somebody has opened an account with it in the meantime."""
    asked.ended_at = now
    db.session.flush()
    if users.id_by_email(asked.new_email) not in (None, asked.user_id):
        return Opened.TAKEN
    mine = update(User).where(User.id == asked.user_id, User.email == asked.old_email, User.closed_at.is_(None))
    try:
        with db.session.begin_nested():
            if not execute_write(mine.values(email=asked.new_email, email_confirmed_at=now)):
                raise LinkIsSpent("This link no longer works: the account has another email now.")
    except IntegrityError:
        return Opened.TAKEN
    email_links.end_all(asked.user_id, now=now)
    customer_version.bump([asked.user_id])
    old_email = asked.old_email if asked.old_token_hash is not None else None
    security_alerts.email_changed(
        asked.user_id, change_id=asked.id, old_email=old_email, new_email=asked.new_email, now=now
    )
    return Opened.DONE
