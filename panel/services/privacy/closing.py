"""Account closing: settles the money, then erases personal data. Orders and the ledger stay, without a name.

The customer's account is locked from the first check to the last change, like for every order and transfer. A
concurrent order either comes first and prevents closing, or is refused.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from panel.db import db, lock_rows
from panel.domain.accounts import email_address
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
    GroupMember,
    LoginSession,
    MailKind,
    Order,
    OrderField,
    RecoveryCode,
    ResetRequest,
    TelegramLink,
    Ticket,
    TicketEntry,
    TransferKind,
    User,
    Webhook,
    WebhookEndpoint,
)
from panel.services import public_links
from panel.services.accounts import users
from panel.services.api import test_customers, webhook_endpoints
from panel.services.closed_accounts import check_open
from panel.services.mail import outbox
from panel.services.mail import templates as mail_templates
from panel.services.money import deposits, ledger
from panel.services.money.ledger import Posting
from panel.services.telegram import outbox as telegram_outbox
from panel.services.tickets import images as ticket_images
from panel.services.tickets import notifications

ERASED = "Erased when the account was closed."
DEPOSIT_ENDED = "The account was closed."


@dataclass(frozen=True, slots=True)
class ClosingCheck:
    """Check before closing an account: what prevents it."""

    is_staff: bool
    moving_orders: int
    balance_nanos: int
    deposits: tuple[str, ...]

    @property
    def is_hindered(self) -> bool:
        """Whether something must end first. A balance can be given up; the rest can only be waited for."""
        return self.is_staff or self.moving_orders > 0


def standing(user_id: int) -> ClosingCheck:
    """The current check; `close` checks again."""
    moving = [status for status in Status if status.is_moving]
    counted = select(func.count()).where(Order.customer_id == user_id, Order.status.in_(moving))
    return ClosingCheck(
        is_staff=users.find(user_id).is_staff,
        moving_orders=db.session.scalar(counted) or 0,
        balance_nanos=ledger.balance_nanos(user_id),
        deposits=tuple(request.reference for request in deposits.open_requests(user_id)),
    )


def close(user_id: int, *, given_up_nanos: int, now: datetime) -> None:
    """Close the account for good. `given_up_nanos`: balance the customer gives up, as shown on the page.

    Raises Refused if orders are active, if money would be left that wasn't given up, or if the account is closed
    already; StaleForm if the balance has changed.
    """
    test_customer_id = test_customers.of_owner(user_id)
    everybody = [user_id] if test_customer_id is None else [user_id, test_customer_id]
    ledger.lock_accounts(everybody)
    check_open([user_id])
    _check(standing(user_id), given_up_nanos=given_up_nanos)
    if given_up_nanos:
        _give_up(user_id, given_up_nanos, now=now)
    if test_customer_id is not None:
        # A call of a test key that has begun already can't place an order any more.
        test_customers.set_balance(test_customer_id, 0, now=now)
    _revoke_access(user_id, now=now)
    for each in everybody:
        _erase_texts(each, now=now)
    for each in everybody:
        _anonymize_user(each, now=now)


def _check(found: ClosingCheck, *, given_up_nanos: int) -> None:
    if found.is_staff:
        raise ActionRefused("An operator’s account can’t be closed here. Nothing was changed.")
    if found.moving_orders:
        raise ActionRefused(
            "Some of your orders still move. Close the account when all have ended. Nothing was changed."
        )
    if found.balance_nanos and not given_up_nanos:
        raise ActionRefused("You still have a balance. Choose what to do with it first. Nothing was changed.")
    if found.balance_nanos != given_up_nanos:
        raise StaleForm("Your balance has changed since you opened this page. Nothing was changed. Look at it again.")


def _give_up(user_id: int, amount_nanos: int, *, now: datetime) -> None:
    note = "Given up by the customer when the account was closed."
    kind, reason = TransferKind.ADJUSTMENT, f"adjustment:closing:{user_id}"
    ledger.post([Posting(user_id, AccountKind.ADJUSTMENTS, amount_nanos, kind, reason, note=note)], now=now)


def _revoke_access(user_id: int, *, now: datetime) -> None:
    """Revoke everything that could still act for this user: keys, endpoints, links and requests."""
    public_links.revoke_all(user_id)
    webhook_endpoints.remove_all(user_id, now=now)
    for model in (ApiKey, EmailLink, EmailChange, Favorite, GroupMember, TelegramLink):
        db.session.execute(delete(model).where(model.user_id == user_id))
    still_open = (
        DepositRequest.customer_id == user_id,
        DepositRequest.transfer_id.is_(None),
        DepositRequest.refused_at.is_(None),
    )
    db.session.execute(update(DepositRequest).where(*still_open).values(refused_at=now, refused_reason=DEPOSIT_ENDED))


def _erase_texts(user_id: int, *, now: datetime) -> None:
    """Erase text written by or to this user: links and fields of orders, ticket threads, webhooks, emails."""
    db.session.execute(update(Order).where(Order.customer_id == user_id).values(link=""))
    orders = select(Order.id).where(Order.customer_id == user_id)
    db.session.execute(update(OrderField).where(OrderField.order_id.in_(orders)).values(value=""))
    db.session.execute(
        update(Ticket)
        .where(Ticket.customer_id == user_id)
        .values(subject=ERASED, state=TicketState.CLOSED, waits_since=now)
    )
    mine = select(Ticket.id).where(Ticket.customer_id == user_id)
    db.session.execute(update(TicketEntry).where(TicketEntry.ticket_id.in_(mine)).values(text=ERASED))
    ticket_images.delete_all(user_id)
    blank = {"url": "", "encrypted_secret": "", "encrypted_old_secret": "", "old_secret_until": None}
    db.session.execute(update(WebhookEndpoint).where(WebhookEndpoint.user_id == user_id).values(**blank))
    db.session.execute(update(Webhook).where(Webhook.user_id == user_id).values(body=""))
    notifications.forget(user_id)
    outbox.delete_mails_of(user_id)
    telegram_outbox.delete_messages_of(user_id)


def _anonymize_user(user_id: int, *, now: datetime) -> None:
    """Anonymize the user's row, which orders and the ledger refer to. The email becomes available again.

    Lock order: users come last, after the rows that other code locks before a user's row.
    """
    user = db.session.scalars(
        lock_rows(select(User).where(User.id == user_id)).execution_options(populate_existing=True)
    ).one()
    _send_last_email(user, now=now)
    # A request that is being processed is left to its worker, which waits for this account's lock.
    asked = lock_rows(
        select(ResetRequest.id).where(ResetRequest.email.in_(email_address.spellings(user.email))), skip_locked=True
    )
    db.session.execute(delete(ResetRequest).where(ResetRequest.id.in_(db.session.scalars(asked).all())))
    for model in (LoginSession, RecoveryCode):
        db.session.execute(delete(model).where(model.user_id == user_id))
    users.set_password(user_id, password_hash="")
    # With random characters, so that nobody can have signed up with this address before.
    user.email = f"closed-{user.id}-{secrets.token_hex(6)}@closed.invalid"
    user.encrypted_totp, user.totp_step, user.notices_off = "", 0, ""
    user.telegram_chat = user.telegram_off = ""
    user.email_confirmed_at = user.noticed_at = user.telegram_blocked_at = None
    user.closed_at = now
    user.state_version += 1
    db.session.flush()


def _send_last_email(user: User, *, now: datetime) -> None:
    """Queue a last email to a confirmed address; it isn't linked to the account any more."""
    if user.email_confirmed_at is not None:
        written = mail_templates.write(MailKind.ACCOUNT_CLOSED, at=now)
        key = f"closed:{user.id}"
        outbox.queue(user.email, written, key=key, now=now)
