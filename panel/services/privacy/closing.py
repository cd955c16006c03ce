"""Closing an account: money first, then all that tells who it was is erased. Orders and the ledger stay, nameless.

It holds the customer's account from the first check to the last change, as every order and every movement of money
does: an order that is placed at the same moment comes first and hinders the closing, or comes too late.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from panel.db import db, lock_rows
from panel.domain import email_address
from panel.domain.errors import ActionRefused, StaleForm
from panel.domain.status import Status
from panel.domain.ticket import TicketState
from panel.models import (
    AccountKind,
    ApiKey,
    DepositRequest,
    EmailChange,
    EmailLink,
    Favorite,
    LoginSession,
    Order,
    RecoveryCode,
    ResetRequest,
    Ticket,
    TicketEntry,
    TransferKind,
    User,
    Webhook,
    WebhookEndpoint,
)
from panel.services.accounts import users
from panel.services.api import webhook_endpoints
from panel.services.closed_accounts import check_open
from panel.services.mail import outbox
from panel.services.mail import templates as mail_templates
from panel.services.money import deposits, ledger
from panel.services.money.ledger import Posting
from panel.services.tickets import notifications

ERASED = "Erased when the account was closed."
TOP_UP_ENDED = "The account was closed."


@dataclass(frozen=True, slots=True)
class ClosingCheck:
    """What stands between an account and its end."""

    is_operator: bool
    moving_orders: int
    balance_nanos: int
    top_ups: tuple[str, ...]

    @property
    def is_hindered(self) -> bool:
        """Whether something must end first. Money on the balance may be given up; the rest can only be waited for."""
        return self.is_operator or self.moving_orders > 0


def standing(user_id: int) -> ClosingCheck:
    """How it stands now; `close` looks again."""
    moving = [status for status in Status if status.is_moving]
    counted = select(func.count()).where(Order.customer_id == user_id, Order.status.in_(moving))
    return ClosingCheck(
        is_operator=users.find(user_id).is_operator,
        moving_orders=db.session.scalar(counted) or 0,
        balance_nanos=ledger.balance_nanos(user_id),
        top_ups=tuple(top_up.reference for top_up in deposits.open_requests(user_id)),
    )


def close(user_id: int, *, given_up_nanos: int, now: datetime) -> None:
    """Close the account for good. `given_up_nanos`: what the customer leaves on the balance, as their page showed it.

    Raises Refused while orders move or money is left that was not given up, and where it is closed already; StaleForm
    when the balance has moved.
    """
    ledger.lock_accounts([user_id])
    check_open([user_id])
    _check(standing(user_id), given_up_nanos=given_up_nanos)
    if given_up_nanos:
        _give_up(user_id, given_up_nanos, now=now)
    _end_what_acts(user_id, now=now)
    _forget_texts(user_id, now=now)
    _forget_person(user_id, now=now)


def _check(found: ClosingCheck, *, given_up_nanos: int) -> None:
    if found.is_operator:
        raise ActionRefused("An operator's account can't be closed here. Nothing was changed.")
    if found.moving_orders:
        raise ActionRefused(
            "Some of your orders still move. Close the account when all have ended. Nothing was changed."
        )
    if found.balance_nanos and not given_up_nanos:
        raise ActionRefused("There is money on your balance. Say first what is to become of it. Nothing was changed.")
    if found.balance_nanos != given_up_nanos:
        raise StaleForm("Your balance has changed since you opened this page. Nothing was changed. Look at it again.")


def _give_up(user_id: int, amount_nanos: int, *, now: datetime) -> None:
    note = "Given up by the customer when the account was closed."
    kind, reason = TransferKind.ADJUSTMENT, f"adjustment:closing:{user_id}"
    ledger.post([Posting(user_id, AccountKind.ADJUSTMENTS, amount_nanos, kind, reason, note=note)], now=now)


def _end_what_acts(user_id: int, *, now: datetime) -> None:
    """Keys, receivers, mailed links and requests: whatever could still do something in this person's name."""
    webhook_endpoints.remove_all(user_id, now=now)
    for model in (ApiKey, EmailLink, EmailChange, Favorite):
        db.session.execute(delete(model).where(model.user_id == user_id))
    still_open = (
        DepositRequest.customer_id == user_id,
        DepositRequest.transfer_id.is_(None),
        DepositRequest.refused_at.is_(None),
    )
    db.session.execute(update(DepositRequest).where(*still_open).values(refused_at=now, refused_reason=TOP_UP_ENDED))


def _forget_texts(user_id: int, *, now: datetime) -> None:
    """What this person wrote or was told: links of orders, threads of tickets, webhooks, mails."""
    db.session.execute(update(Order).where(Order.customer_id == user_id).values(link=""))
    db.session.execute(
        update(Ticket)
        .where(Ticket.customer_id == user_id)
        .values(subject=ERASED, state=TicketState.CLOSED, waits_since=now)
    )
    mine = select(Ticket.id).where(Ticket.customer_id == user_id)
    db.session.execute(update(TicketEntry).where(TicketEntry.ticket_id.in_(mine)).values(text=ERASED))
    blank = {"url": "", "sealed_secret": "", "sealed_old_secret": "", "old_secret_until": None}
    db.session.execute(update(WebhookEndpoint).where(WebhookEndpoint.user_id == user_id).values(**blank))
    db.session.execute(update(Webhook).where(Webhook.user_id == user_id).values(body=""))
    notifications.forget(user_id)
    outbox.delete_mails_of(user_id)


def _forget_person(user_id: int, *, now: datetime) -> None:
    """The row stays, as the orders and the ledger hang on it. Its email is free for a new account.

    It is held last, as by everyone: what others lock before a person's row is done with by now.
    """
    user = db.session.scalars(
        lock_rows(select(User).where(User.id == user_id)).execution_options(populate_existing=True)
    ).one()
    _say_goodbye(user, now=now)
    # One that is being answered is left to whoever answers it, who waits for this account.
    asked = lock_rows(
        select(ResetRequest.id).where(ResetRequest.email.in_(email_address.spellings(user.email))), skip_locked=True
    )
    db.session.execute(delete(ResetRequest).where(ResetRequest.id.in_(db.session.scalars(asked).all())))
    for model in (LoginSession, RecoveryCode):
        db.session.execute(delete(model).where(model.user_id == user_id))
    users.set_password(user_id, password_hash="")
    # With signs by chance, so that nobody can have signed up under this address before.
    user.email = f"closed-{user.id}-{secrets.token_hex(6)}@closed.invalid"
    user.sealed_totp, user.totp_step, user.notices_off = "", 0, ""
    user.email_confirmed_at = user.noticed_at = None
    user.closed_at = now
    user.state_version += 1
    db.session.flush()


def _say_goodbye(user: User, *, now: datetime) -> None:
    """One last mail, to an address that was confirmed; it names no account any more."""
    if user.email_confirmed_at is not None:
        written = mail_templates.write("account_closed", at=now)
        key = f"closed:{user.id}"
        outbox.queue(user.email, subject=written.subject, text=written.text, kind="account_closed", key=key, now=now)
