"""Email confirmation as a condition: API keys, webhooks and a second factor need an email that its owner has confirmed.

Until then the account may be a stranger's who typed somebody else's address: nothing that outlives a password may be
made in it.
"""

from datetime import datetime

from sqlalchemy import select, update

from panel.db import db, execute_write
from panel.domain.errors import ActionRefused, EmailNotConfirmed, NotFound, StaleForm
from panel.models import User
from panel.services import audit_log, customer_version
from panel.services.accounts import sessions, users
from panel.services.accounts.sessions import SignedIn
from panel.services.closed_accounts import check_open
from panel.services.money import ledger

NOT_YET = "Confirm your email first: open the link that we sent there. Nothing was changed."


def hold_confirmed(user_id: int) -> None:
    """Hold this person's account until the transaction ends. Raises Refused where it is closed, EmailNotConfirmed."""
    ledger.lock_accounts([user_id])
    check_open([user_id])
    if db.session.scalar(select(User.email_confirmed_at).where(User.id == user_id)) is None:
        raise EmailNotConfirmed(NOT_YET)


def hold_own(person: SignedIn, *, now: datetime) -> None:
    """Lock the user's own account, and check again whether this device is still logged in.

    A password reset that came first ended it: what a stranger had sent just before must not be made after. Raises
    StaleForm.
    """
    ledger.lock_accounts([person.id])
    if sessions.find(person.token, now=now) is None:
        raise StaleForm("This device has been logged out. Nothing was changed. Log in again.")


def confirm_by_hand(email: str, *, detail: str = "", actor: str, now: datetime) -> None:
    """Confirm the email of an account for its owner, as an operator. Raises NotFound, or Refused if it is confirmed."""
    user_id = users.id_by_email(email)
    if user_id is None:
        raise NotFound(f"There is no account with the email {email}.")
    confirm_account(user_id, detail=detail, actor=actor, now=now)


def confirm_account(user_id: int, *, detail: str, actor: str, now: datetime) -> None:
    """As `confirm_by_hand`, for the account of this number."""
    ledger.lock_accounts([user_id])
    check_open([user_id])
    unconfirmed = update(User).where(User.id == user_id, User.email_confirmed_at.is_(None))
    if not execute_write(unconfirmed.values(email_confirmed_at=now)):
        raise ActionRefused("This email is confirmed already. Nothing was changed.")
    customer_version.bump([user_id])
    audit_log.write("customers confirm email", actor=actor, subject=f"customer {user_id}", detail=detail, now=now)
