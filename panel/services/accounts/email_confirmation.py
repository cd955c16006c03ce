"""Confirmed email requirement for API keys, webhooks and two-factor authentication.

Before confirmation the account may belong to a stranger who typed somebody else's address, so nothing that survives a
password reset may be created.
"""

from datetime import datetime

from sqlalchemy import select, update

from panel.db import db, execute_write
from panel.domain.errors import ActionRefused, EmailNotConfirmed, NotFound, StaleForm
from panel.models import User
from panel.services import audit_log, customer_version
from panel.services.accounts import sessions, users
from panel.services.accounts.sessions import LoggedIn
from panel.services.closed_accounts import check_open
from panel.services.money import ledger

NOT_YET = "Confirm your email first: open the link that we sent there. Nothing was changed."


def hold_confirmed(user_id: int) -> None:
    """Lock the user until the transaction ends. Raises Refused if the account is closed, and EmailNotConfirmed."""
    ledger.lock_accounts([user_id])
    check_open([user_id])
    if db.session.scalar(select(User.email_confirmed_at).where(User.id == user_id)) is None:
        raise EmailNotConfirmed(NOT_YET)


def hold_own(person: LoggedIn, *, now: datetime) -> None:
    """Lock the user's own account, and check again whether this device is still logged in.

    A password reset may have ended the session: a request sent just before must not take effect after it. Raises
    StaleForm.
    """
    ledger.lock_accounts([person.id])
    if sessions.find(person.token, now=now) is None:
        raise StaleForm("This device has been logged out. Nothing was changed. Log in again.")


def confirm_by_hand(email: str, *, detail: str = "", actor: str, now: datetime) -> None:
    """Confirm an account's email as an operator. Raises NotFound, or Refused if it is already confirmed."""
    user_id = users.id_by_email(email)
    if user_id is None:
        raise NotFound(f"There is no account with the email {email}.")
    confirm_account(user_id, detail=detail, actor=actor, now=now)


def confirm_account(user_id: int, *, detail: str, actor: str, now: datetime) -> None:
    """Same as `confirm_by_hand`, by user id."""
    ledger.lock_accounts([user_id])
    check_open([user_id])
    unconfirmed = update(User).where(User.id == user_id, User.email_confirmed_at.is_(None))
    if not execute_write(unconfirmed.values(email_confirmed_at=now)):
        raise ActionRefused("This email is confirmed already. Nothing was changed.")
    customer_version.bump([user_id])
    audit_log.write("customers confirm email", actor=actor, subject=f"customer {user_id}", detail=detail, now=now)
