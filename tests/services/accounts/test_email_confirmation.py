"""Unconfirmed accounts: what they can't have, and what a password reset ends, so that nothing survives a takeover."""

import secrets
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.db import db, transaction
from panel.domain.errors import ActionRefused, EmailNotConfirmed, PanelError, StaleForm
from panel.domain.status import Status
from panel.models import ApiKey, AuditLogEntry, EmailChange, PendingSession, User, Webhook, WebhookEndpoint
from panel.services import password_reset
from panel.services.accounts import email_changes, email_confirmation, pending_sessions, sessions, two_factor, users
from panel.services.api import keys as api_keys
from panel.services.api import webhook_endpoints
from panel.services.api.keys import NewKey
from tests.services.test_password_reset import asked_for, token_mailed
from tests.support.concurrently import start_in_thread
from tests.support.factories import NOON, a_customer, an_order, reload, with_second_factor

URL = "https://hooks.example.com/orders"


def unconfirmed(user: User) -> User:
    with transaction():
        db.session.execute(update(User).where(User.id == user.id).values(email_confirmed_at=None))
    return reload(user)


def a_stranger(*, is_confirmed: bool = False) -> User:
    return a_customer("10.00") if is_confirmed else unconfirmed(a_customer("10.00"))


def make_key(user: User) -> str:
    with transaction():
        return api_keys.make(user.id, asked=NewKey("Shop"), now=NOON).text


def add_endpoint(app: Flask, user: User) -> None:
    with transaction():
        webhook_endpoints.add(user.id, url=URL, balance_low_nanos=None, settings=app.config["PANEL"], now=NOON)


def with_everything(app: Flask) -> User:
    """An unconfirmed account that has one of everything, as older versions allowed."""
    user = a_customer("10.00")
    make_key(user)
    add_endpoint(app, user)
    with_second_factor(user, at=NOON)
    with transaction():
        email_changes.ask_to_change(user.id, "stranger@example.net", now=NOON)
        pending_sessions.begin(user, now=NOON)
    return unconfirmed(user)


def is_found(key: str) -> bool:
    db.session.rollback()
    return api_keys.find(key, address="192.0.2.1") is not None


def live(user: User) -> tuple[int, int]:
    """Number of live API keys and of live webhook endpoints."""
    db.session.rollback()
    return len(api_keys.listed(user.id)), len(webhook_endpoints.listed(user.id))


@pytest.mark.both_engines
def test_unconfirmed_account_gets_no_key_no_webhook_and_no_second_factor(app: Flask) -> None:
    user = a_stranger()

    for attempt in (
        lambda: make_key(user),
        lambda: add_endpoint(app, user),
        lambda: with_second_factor(user, at=NOON),
    ):
        with pytest.raises(EmailNotConfirmed, match="Confirm your email first"):
            attempt()

    assert (db.session.query(ApiKey).count(), db.session.query(WebhookEndpoint).count()) == (0, 0)
    assert not two_factor.is_enabled(user.id)


@pytest.mark.both_engines
def test_reset_of_an_account_never_confirmed_ends_all_that_was_made_before(app: Flask) -> None:
    user = with_everything(app)
    key = secrets.token_urlsafe()
    with transaction():
        db.session.execute(update(ApiKey).values(key_hash=api_keys.key_hash(key)))
        device = sessions.log_in(user, device="d", network="n", has_shown_second_factor=True, now=NOON)
    asked_for(user.email)

    with transaction():
        password_reset.set_password(token_mailed(app), password_hash="hash", now=NOON)

    assert reload(user).email_confirmed_at == NOON
    assert not is_found(key)
    assert live(user) == (0, 0)
    assert not two_factor.is_enabled(user.id)
    assert sessions.find(device.token, now=NOON) is None
    assert db.session.query(PendingSession).count() == 0
    assert db.session.scalars(select(EmailChange.ended_at)).all() == [NOON]


@pytest.mark.parametrize(
    ("keys", "webhooks", "left"), [(False, False, (1, 1)), (True, False, (0, 1)), (False, True, (1, 0))]
)
def test_reset_of_a_confirmed_account_ends_what_its_owner_says(
    app: Flask, keys: bool, webhooks: bool, left: tuple[int, int]
) -> None:
    user, other = a_stranger(is_confirmed=True), a_stranger(is_confirmed=True)
    for each in (user, other):
        make_key(each)
        add_endpoint(app, each)
    with_second_factor(user, at=NOON)
    asked_for(user.email)

    with transaction():
        password_reset.set_password(
            token_mailed(app), password_hash="hash", ends_keys=keys, ends_webhooks=webhooks, now=NOON
        )

    assert live(user) == left
    assert live(other) == (1, 1), "another customer's must stay"
    assert two_factor.is_enabled(user.id)


@pytest.mark.both_engines
def test_key_sent_for_while_the_owner_resets_the_password_is_not_made(app: Flask) -> None:
    user = a_stranger()
    with transaction():
        device = sessions.log_in(user, device="d", network="n", now=NOON)
    asked_for(user.email)
    token = token_mailed(app)
    user_id = user.id

    def make() -> None:
        with transaction():
            email_confirmation.hold_own(device, now=NOON)
            api_keys.make(user_id, asked=NewKey("Late"), now=NOON)

    with transaction():
        password_reset.set_password(token, password_hash="hash", now=NOON)
        late = start_in_thread(app, make)
    with pytest.raises(PanelError) as refused:
        late.result(30)

    assert isinstance(refused.value, StaleForm)
    assert live(user) == (0, 0)


def test_webhooks_of_unconfirmed_accounts_get_no_events(app: Flask) -> None:
    confirmed = a_customer("10.00")
    add_endpoint(app, confirmed)
    stranger = with_everything(app)

    for user in (confirmed, stranger):
        an_order(customer=user, status=Status.COMPLETED)

    db.session.rollback()
    assert set(db.session.scalars(select(Webhook.user_id))) == {confirmed.id}


@pytest.mark.both_engines
def test_operator_confirms_an_email_once_and_the_log_keeps_it() -> None:
    user = a_stranger()

    with transaction():
        email_confirmation.confirm_by_hand(f" {user.email.upper()}", detail="By phone.", actor="olga", now=NOON)
    with pytest.raises(ActionRefused, match="confirmed already"), transaction():
        email_confirmation.confirm_by_hand(user.email, actor="olga", now=NOON + timedelta(hours=1))

    assert reload(user).email_confirmed_at == NOON
    (line,) = db.session.scalars(select(AuditLogEntry))
    assert (line.actor, line.action, line.subject, line.detail) == (
        "olga",
        "customers confirm email",
        f"customer {user.id}",
        "By phone.",
    )
    assert make_key(user)
    assert users.find_by_email(user.email) is not None
