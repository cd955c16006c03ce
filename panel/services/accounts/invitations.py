"""Links of invitations to the office: mailed, single use, and of no use after a week."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from panel.db import db, execute_write
from panel.domain.accounts.roles import Role
from panel.domain.errors import LinkIsSpent
from panel.models import Invitation, MailKind
from panel.services.accounts import email_links
from panel.services.accounts.sessions import token_hash
from panel.services.mail import outbox
from panel.services.mail import templates as mail_templates

LASTS = timedelta(days=7)
SPENT = (
    "This invitation no longer works: it was used, withdrawn or replaced by a newer one, or it is older than a week."
)


def make(email: str, role: Role, *, made_by: int, inviter: str, now: datetime) -> Invitation:
    """Make an invitation and queue its email. Earlier ones to this address end."""
    earlier = update(Invitation).where(Invitation.email == email, Invitation.ended_at.is_(None))
    execute_write(earlier.values(ended_at=now))
    token = email_links.new_token()
    found = Invitation(
        email=email,
        role=role.value,
        token_hash=token_hash(token),
        made_by=made_by,
        made_at=now,
        expires_at=now + LASTS,
    )
    db.session.add(found)
    db.session.flush()
    written = mail_templates.write(
        MailKind.INVITATION, path=f"/invitations/{token}", inviter=inviter, role=role.label, until=found.expires_at
    )
    outbox.queue(
        email,
        written,
        user_id=None,
        key=f"invitation:{found.token_hash}",
        is_secret=True,
        now=now,
    )
    return found


def open_ones(*, now: datetime) -> list[Invitation]:
    """Invitations that still work, newest first."""
    is_open = (Invitation.ended_at.is_(None), Invitation.expires_at > now)
    return list(db.session.scalars(select(Invitation).where(*is_open).order_by(Invitation.id.desc())))


def find(token: str, *, now: datetime) -> Invitation | None:
    """The invitation with this token; None if it no longer works."""
    return db.session.scalar(
        select(Invitation).where(
            Invitation.token_hash == token_hash(token), Invitation.ended_at.is_(None), Invitation.expires_at > now
        )
    )


def use(token: str, *, now: datetime) -> Invitation:
    """Mark the invitation as used. Raises LinkIsSpent if it no longer works or a concurrent request was first."""
    found = find(token, now=now)
    if found is None or not end(found.id, now=now):
        raise LinkIsSpent(SPENT)
    return found


def end(invitation_id: int, *, now: datetime) -> bool:
    """End an open invitation; False if there is no such one."""
    mine = update(Invitation).where(Invitation.id == invitation_id, Invitation.ended_at.is_(None))
    return bool(execute_write(mine.values(ended_at=now)))


def end_everyones(*, now: datetime) -> None:
    """End all invitations."""
    execute_write(update(Invitation).where(Invitation.ended_at.is_(None)).values(ended_at=now))


def purge(*, now: datetime) -> int:
    """Delete invitations that expired long ago. Returns their number."""
    return execute_write(delete(Invitation).where(Invitation.expires_at < now - email_links.KEPT_FOR))
