"""Mailed single-use links: the mail has a random token, the database its hash."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update

from panel.db import db, execute_write
from panel.domain.errors import LinkIsSpent
from panel.models import EmailChange, EmailLink, LinkPurpose
from panel.services.accounts.sessions import token_hash
from panel.services.closed_accounts import check_open
from panel.services.money import ledger

TOKEN_BYTES = 32
KEPT_FOR = timedelta(days=7)


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def make(user_id: int, purpose: LinkPurpose, *, email: str, lasts: timedelta, now: datetime) -> str:
    """Create a link and return its token. Earlier confirmation links stop working.

    Password reset links stay valid until one is used; otherwise anyone could cancel the owner's link by requesting
    another. The user is locked, so that of two concurrent links the earlier one ends too. Raises Refused if the account
    is closed.
    """
    hold_open(user_id)
    if purpose is not LinkPurpose.RESET:
        end_all(user_id, purpose, now=now)
    token = new_token()
    link = EmailLink(
        user_id=user_id,
        purpose=purpose,
        email=email,
        token_hash=token_hash(token),
        made_at=now,
        expires_at=now + lasts,
    )
    db.session.add(link)
    db.session.flush()
    return token


def make_resets(emails: Mapping[int, str], *, lasts: timedelta, now: datetime) -> dict[int, str]:
    """Make links to set a password for accounts that this transaction made; returns their tokens by user."""
    tokens = {user_id: new_token() for user_id in emails}
    common = {"purpose": LinkPurpose.RESET, "made_at": now, "expires_at": now + lasts}
    rows = [
        {"user_id": user_id, "email": email, "token_hash": token_hash(tokens[user_id]), **common}
        for user_id, email in emails.items()
    ]
    if rows:
        db.session.execute(insert(EmailLink), rows)
    return tokens


def hold_open(user_id: int) -> None:
    """Lock the user until the transaction ends, as closing does. Raises Refused if the account is closed."""
    ledger.lock_accounts([user_id])
    check_open([user_id])


def find(token: str, purpose: LinkPurpose, *, now: datetime) -> EmailLink | None:
    """The link with this token; None if it was used or has expired."""
    return db.session.scalar(
        select(EmailLink).where(
            EmailLink.token_hash == token_hash(token),
            EmailLink.purpose == purpose,
            EmailLink.ended_at.is_(None),
            EmailLink.expires_at > now,
        )
    )


def use(token: str, purpose: LinkPurpose, *, now: datetime) -> EmailLink:
    """Mark the link as used. Raises LinkIsSpent if it no longer works or a concurrent request was first."""
    link = find(token, purpose, now=now)
    if link is not None:
        mine = update(EmailLink).where(EmailLink.id == link.id, EmailLink.ended_at.is_(None))
        if execute_write(mine.values(ended_at=now)):
            return link
    raise LinkIsSpent("This link no longer works: it was used, it expired, or a newer one replaced it.")


def last_made(email: str, purpose: LinkPurpose) -> datetime | None:
    """When the last link for this purpose was mailed to this address."""
    made = select(func.max(EmailLink.made_at)).where(EmailLink.email == email, EmailLink.purpose == purpose)
    return db.session.scalar(made)


def end_all(user_id: int, purpose: LinkPurpose | None = None, *, now: datetime) -> None:
    """Revoke this user's links for one purpose, or all of them."""
    open_links = update(EmailLink).where(EmailLink.user_id == user_id, EmailLink.ended_at.is_(None))
    if purpose is not None:
        open_links = open_links.where(EmailLink.purpose == purpose)
    execute_write(open_links.values(ended_at=now))


def end_changes(user_id: int, *, now: datetime) -> None:
    """Cancel this user's pending email changes."""
    execute_write(
        update(EmailChange).where(EmailChange.user_id == user_id, EmailChange.ended_at.is_(None)).values(ended_at=now)
    )


def end_everyones(*, now: datetime) -> None:
    """Revoke all mailed links and pending email changes of all users."""
    for model in (EmailLink, EmailChange):
        execute_write(update(model).where(model.ended_at.is_(None)).values(ended_at=now))


def purge(*, now: datetime) -> int:
    """Delete links and email changes that expired long ago. Returns their number."""
    before = now - KEPT_FOR
    links = execute_write(delete(EmailLink).where(EmailLink.expires_at < before))
    return links + execute_write(delete(EmailChange).where(EmailChange.expires_at < before))
