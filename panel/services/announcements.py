"""Announcements: drafts that operators publish, pin as a banner, mail to customers, and withdraw.

Whatever changes a published one bumps the catalogue's version, under which pages and banners are cached.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update

from panel.db import db, lock_rows
from panel.domain import plain_text
from panel.domain.accounts.roles import Role
from panel.domain.announcements import Audience
from panel.domain.errors import ActionRefused, BadInput, NotFound, StaleForm
from panel.domain.lists.list_filters import MAX_ID
from panel.domain.notification_kinds import Notice
from panel.models import Announcement, Catalogue, User
from panel.services import audit_log
from panel.services.mail import notifications

MAX_TITLE_LENGTH = 120
MAX_TEXT_LENGTH = 4_000
MAX_SHOWN = 50
# More banners would push the page away.
MAX_PINNED = 3
MAILS_AT_ONCE = 100

_IS_PUBLIC = (Announcement.published_at.is_not(None), Announcement.withdrawn_at.is_(None))


def published(*, is_customer: bool) -> Sequence[Announcement]:
    """The newest published announcements, newest first: for everyone, or also those for customers."""
    found = select(Announcement).where(*_IS_PUBLIC).order_by(Announcement.published_at.desc(), Announcement.id.desc())
    if not is_customer:
        found = found.where(Announcement.audience == Audience.EVERYONE)
    return db.session.scalars(found.limit(MAX_SHOWN)).all()


def pinned(*, is_customer: bool) -> Sequence[Announcement]:
    """The newest pinned announcements, newest first: for everyone, or also those for customers."""
    found = select(Announcement).where(*_IS_PUBLIC, Announcement.is_pinned)
    if not is_customer:
        found = found.where(Announcement.audience == Audience.EVERYONE)
    newest = found.order_by(Announcement.published_at.desc(), Announcement.id.desc())
    return db.session.scalars(newest.limit(MAX_PINNED)).all()


def listed() -> Sequence[Announcement]:
    """The newest announcements in the office, newest first, with drafts and withdrawn ones."""
    return db.session.scalars(select(Announcement).order_by(Announcement.id.desc()).limit(4 * MAX_SHOWN)).all()


def find(announcement_id: int) -> Announcement:
    """Raises NotFound."""
    found = db.session.get(Announcement, announcement_id) if announcement_id <= MAX_ID else None
    if found is None:
        raise NotFound("There is no such announcement.")
    return found


def draft(*, title: str, text: str, audience: str, actor: str, now: datetime) -> Announcement:
    """Keep a new draft. Raises BadInput."""
    made = Announcement(**_checked(title, text, audience), is_pinned=False, made_at=now)
    db.session.add(made)
    db.session.flush()
    _log("announcement draft", made, made.title, actor=actor, now=now)
    return made


def edit(
    announcement_id: int, *, title: str, text: str, audience: str, seen: int, actor: str, now: datetime
) -> Announcement:
    """Change a draft, or correct what is published. Raises NotFound, BadInput, and StaleForm if it has changed."""
    found = _lock(announcement_id, seen=seen)
    for name, value in _checked(title, text, audience).items():
        setattr(found, name, value)
    return _changed("announcement edit", found, found.title, actor=actor, now=now)


def publish(
    announcement_id: int, *, is_pinned: bool, with_mail: bool, seen: int, actor: str, now: datetime
) -> Announcement:
    """Publish a draft; `with_mail`: customers who want such emails get one. Raises as `edit`, and Refused."""
    found = _lock(announcement_id, seen=seen)
    if found.published_at is not None:
        raise ActionRefused("It is published already.")
    found.published_at, found.is_pinned = now, is_pinned
    found.mailed_up_to = 0 if with_mail else None
    detail = ", ".join(["pinned"] * is_pinned + ["mailed"] * with_mail) or found.title
    return _changed("announcement publish", found, detail, actor=actor, now=now)


def pin(announcement_id: int, *, is_pinned: bool, seen: int, actor: str, now: datetime) -> Announcement:
    """Show it as a banner, or no longer. Raises as `edit`, and Refused if it isn't published."""
    found = _lock(announcement_id, seen=seen)
    _check_public(found)
    found.is_pinned = is_pinned
    return _changed("announcement pin" if is_pinned else "announcement unpin", found, found.title, actor=actor, now=now)


def withdraw(announcement_id: int, *, seen: int, actor: str, now: datetime) -> Announcement:
    """Show it no longer, and queue no more mails about it. Raises as `pin`."""
    found = _lock(announcement_id, seen=seen)
    _check_public(found)
    found.withdrawn_at, found.is_pinned, found.mailed_up_to = now, False, None
    return _changed("announcement withdraw", found, found.title, actor=actor, now=now)


def is_any_to_mail() -> bool:
    """Whether mails about an announcement are still to be queued."""
    return db.session.scalar(select(Announcement.id).where(Announcement.mailed_up_to.is_not(None)).limit(1)) is not None


def queue_mails(*, now: datetime) -> int:
    """Queue mails about one announcement to the next customers, in the order of their ids; returns how many looked at.

    The mails' keys name announcement and customer: whatever is repeated, each gets one.
    """
    waiting = select(Announcement).where(Announcement.mailed_up_to.is_not(None)).order_by(Announcement.id).limit(1)
    found: Announcement | None = db.session.scalar(lock_rows(waiting, skip_locked=True))
    if found is None or found.mailed_up_to is None:
        return 0
    is_customer = (User.id > found.mailed_up_to, User.role == Role.CUSTOMER, User.closed_at.is_(None))
    user_ids = db.session.scalars(select(User.id).where(*is_customer).order_by(User.id).limit(MAILS_AT_ONCE)).all()
    for user_id in user_ids:
        notifications.notify(
            user_id,
            Notice.ANNOUNCEMENT,
            key=f"announcement:{found.id}:{user_id}",
            now=now,
            title=found.title,
            paragraphs=found.text.split("\n"),
            announcement_id=found.id,
        )
    found.mailed_up_to = user_ids[-1] if len(user_ids) == MAILS_AT_ONCE else None
    db.session.flush()
    return len(user_ids)


def _lock(announcement_id: int, *, seen: int) -> Announcement:
    wanted = lock_rows(select(Announcement).where(Announcement.id == min(announcement_id, MAX_ID)))
    found: Announcement | None = db.session.scalar(wanted.execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such announcement.")
    if found.version != seen:
        raise StaleForm("Someone changed this announcement since you opened the page. Read it, then decide.")
    return found


def _check_public(found: Announcement) -> None:
    if found.published_at is None or found.withdrawn_at is not None:
        raise ActionRefused("It is not published.")


def _checked(title: str, text: str, audience: str) -> dict[str, str]:
    title = title.strip()
    if not title or len(title) > MAX_TITLE_LENGTH or not title.isprintable():
        raise BadInput(f"Write a title of 1 to {MAX_TITLE_LENGTH} characters on one line.", field="title")
    text = plain_text.lines(text).strip()
    if not text or len(text) > MAX_TEXT_LENGTH:
        raise BadInput(f"Write a text of 1 to {MAX_TEXT_LENGTH:,} characters.", field="text")
    if audience not in set(Audience):
        raise BadInput("Choose who it is for.", field="audience")
    return {"title": title, "text": text, "audience": audience}


def _changed(action: str, found: Announcement, detail: str, *, actor: str, now: datetime) -> Announcement:
    found.version += 1
    db.session.flush()
    _log(action, found, detail, actor=actor, now=now)
    if found.published_at is not None:
        db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))
    return found


def _log(action: str, found: Announcement, detail: str, *, actor: str, now: datetime) -> None:
    audit_log.write(action, actor=actor, subject=f"announcement {found.id}", detail=detail[:200], now=now)
