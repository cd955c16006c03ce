"""Mail outbox: mails are queued in the transaction of their cause and sent later by a job.

A mail is retried until a server accepts it or for 72 hours: at least once, and twice if a worker dies between sending
and recording it, always with the same text and Message-ID.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from panel import app_context
from panel.db import db, execute_write, lock_rows, table_of, upsert
from panel.domain import plain_text
from panel.models import Mail
from panel.security import encryption
from panel.services.mail.templates import MailText

MAILS = table_of(Mail)

KEPT_TRYING_FOR = timedelta(hours=72)
# Back-off after the first failure, the second, and so on; the last value repeats.
WAITS = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 600, 1_800, 7_200, 21_600))
# Longer than a lease of a mail.
SOON = timedelta(minutes=4)
# Retention of finished mails, to be able to answer what was sent and when.
KEPT_FOR = timedelta(days=30)
MAX_ERROR_LENGTH = 200
# Line length limit of mail servers.
MAX_SUBJECT_LENGTH = 150


@dataclass(frozen=True)
class Letter:
    """A leased mail."""

    id: int
    key: str
    kind: str
    email: str
    subject: str
    text: str
    is_encrypted: bool
    unsubscribe: str
    queued_at: datetime
    lease_until: datetime


@dataclass(frozen=True)
class Outbox:
    """Outbox statistics: waiting mails, age of the oldest, recent failures."""

    waiting: int
    oldest_at: datetime | None
    given_up: int


def queue(
    to: str,
    mail: MailText,
    *,
    user_id: int | None = None,
    key: str,
    unsubscribe: str = "",
    is_secret: bool = False,
    now: datetime,
) -> bool:
    """Queue a mail in the caller's transaction. False if one with this key exists.

    `unsubscribe`: path that turns this kind off. `is_secret`: the text has a link with a token, so it is encrypted and
    deleted after sending.
    """
    row = row_of(to, mail, user_id=user_id, key=key, unsubscribe=unsubscribe, is_secret=is_secret, now=now)
    unless_known = upsert(MAILS).values(row).on_conflict_do_nothing(index_elements=[MAILS.c.key])
    return db.session.scalar(unless_known.returning(MAILS.c.id)) is not None


def queue_new(rows: Sequence[Mapping[str, Any]]) -> None:
    """Queue many mails, each as `row_of` gives it, whose keys are new."""
    if rows:
        db.session.execute(insert(MAILS), rows)


def row_of(
    to: str,
    mail: MailText,
    *,
    user_id: int | None = None,
    key: str,
    unsubscribe: str = "",
    is_secret: bool = False,
    now: datetime,
) -> dict[str, Any]:
    """The mail as it is stored. The arguments are those of `queue`."""
    text = plain_text.lines(mail.text)
    return {
        "key": key,
        "kind": mail.kind,
        "user_id": user_id,
        "email": to,
        "subject": plain_text.one_line(mail.subject, most=MAX_SUBJECT_LENGTH),
        "text": encryption.encrypt(text, settings=app_context.settings()) if is_secret else text,
        "is_encrypted": is_secret,
        "unsubscribe": unsubscribe,
        "queued_at": now,
        "rank": 1 if unsubscribe else 0,
        "due_at": now,
        "tries": 0,
        "error": "",
    }


def is_any_due(*, now: datetime) -> bool:
    due = select(MAILS.c.id).where(MAILS.c.due_at.is_not(None), MAILS.c.due_at <= now)
    return db.session.scalar(due.limit(1)) is not None


def lease_mail(*, lease_seconds: float, now: datetime) -> Letter | None:
    """Lease one due mail, so that no other worker sends it; None if there is none.

    Mandatory mails (requested links, security alerts) go before notifications.
    """
    first = select(Mail).where(Mail.due_at.is_not(None), Mail.due_at <= now).order_by(Mail.rank, Mail.due_at).limit(1)
    mail = db.session.scalar(lock_rows(first, skip_locked=True))
    if mail is None:
        return None
    mail.due_at = lease_until = now + timedelta(seconds=lease_seconds)
    mail.tries += 1
    db.session.flush()
    return Letter(
        id=mail.id,
        key=mail.key,
        kind=mail.kind,
        email=mail.email,
        subject=mail.subject,
        text=mail.text,
        is_encrypted=mail.is_encrypted,
        unsubscribe=mail.unsubscribe,
        queued_at=mail.queued_at,
        lease_until=lease_until,
    )


def note_sent(letter: Letter, *, now: datetime) -> None:
    """Record that the mail was sent."""
    mail = _still_waiting(letter)
    if mail is not None:
        mail.sent_at, mail.due_at, mail.error = now, None, ""
        _forget_secret(mail)


def note_failure(letter: Letter, *, error: str, is_final: bool, now: datetime) -> None:
    """Record a failure: retry later, or give up after a permanent error or 72 hours."""
    mail = _still_waiting(letter)
    if mail is None or mail.due_at != letter.lease_until:
        return
    mail.error = plain_text.one_line(error, most=MAX_ERROR_LENGTH)
    if is_final or now - mail.queued_at >= KEPT_TRYING_FOR:
        mail.given_up_at, mail.due_at = now, None
        _forget_secret(mail)
    else:
        mail.due_at = now + WAITS[min(mail.tries, len(WAITS)) - 1]
    db.session.flush()


def retry_now(*, now: datetime) -> int:
    """Make failed mails due again, since another mail server may accept them. Returns their number.

    Not those due within minutes: they may be leased, and are sent soon in any case.
    """
    failed = (MAILS.c.due_at > now + SOON, MAILS.c.error != "")
    return execute_write(update(MAILS).where(*failed).values(due_at=now))


def _still_waiting(letter: Letter) -> Mail | None:
    mail: Mail | None = db.session.scalar(lock_rows(select(Mail).where(Mail.id == letter.id)))
    return mail if mail is not None and mail.due_at is not None else None


def _forget_secret(mail: Mail) -> None:
    if mail.is_encrypted:
        mail.text = ""
    db.session.flush()


def outbox(*, given_up_since: datetime) -> Outbox:
    """Current outbox statistics."""
    waiting, oldest_at = db.session.execute(
        select(func.count(), func.min(MAILS.c.queued_at)).where(MAILS.c.due_at.is_not(None))
    ).one()
    given_up = db.session.scalar(select(func.count()).where(MAILS.c.given_up_at > given_up_since)) or 0
    return Outbox(waiting, oldest_at, given_up)


def purge(*, now: datetime) -> int:
    """Delete mails that were finished 30 days ago. Returns their number."""
    before = now - KEPT_FOR
    return execute_write(delete(MAILS).where((MAILS.c.sent_at < before) | (MAILS.c.given_up_at < before)))


def delete_mails_of(user_id: int) -> None:
    """Delete all mails of this user, whose account is closed."""
    execute_write(delete(MAILS).where(MAILS.c.user_id == user_id))
