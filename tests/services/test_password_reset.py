"""Password reset: the link works once, and nothing reveals whether an email has an account."""

import re
import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.db import db, transaction
from panel.domain.errors import LinkIsSpent, TooManyTries
from panel.models import EmailLink, LoginSession, Mail, ResetRequest, User
from panel.security import encryption
from panel.services import password_reset
from panel.services.accounts import email_links, sessions, throttles, users
from panel.services.mail import security_alerts
from panel.services.money import ledger
from panel.services.privacy import closing
from tests.support.concurrently import start_in_thread
from tests.support.factories import NOON, a_customer

NEW_HASH = "another hash"


def asked_for(email: str) -> None:
    with transaction():
        password_reset.request_reset(email, now=NOON)
    answer_all()


def answer_all() -> None:
    is_any = True
    while is_any:
        with transaction():
            is_any = password_reset.process_next(now=NOON)


def token_mailed(app: Flask, *, template: str = "reset") -> str:
    """The token in the newest mail of this kind, which is encrypted in the database."""
    ciphertext = db.session.scalars(select(Mail.text).where(Mail.kind == template).order_by(Mail.id.desc())).first()
    assert ciphertext is not None
    found = re.search(r"/[a-z-]+/([\w-]{40,})\n", encryption.decrypt(ciphertext, settings=app.config["PANEL"]))
    assert found is not None
    return found[1]


def set_password(token: str, *, now: object = NOON) -> None:
    with transaction():
        password_reset.set_password(token, password_hash=NEW_HASH, now=now)  # type: ignore[arg-type]


def test_a_link_sets_a_password_once_and_logs_every_device_out(app: Flask) -> None:
    user = a_customer()
    with transaction():
        device = sessions.log_in(user, device="Firefox", network="n", now=NOON)
    asked_for(user.email.upper())
    token = token_mailed(app)

    set_password(token)

    assert users.password_hash_by_email(user.email) == NEW_HASH
    assert sessions.find(device.token, now=NOON) is None
    assert _kinds_of_mails() == ["reset", "password_changed"]
    with pytest.raises(LinkIsSpent):
        set_password(token)


def test_the_database_holds_neither_the_token_nor_an_open_text_of_it(app: Flask) -> None:
    asked_for(a_customer().email)
    token = token_mailed(app)

    kept = [*db.session.execute(select(EmailLink.token_hash)).scalars(), *_texts_of_mails()]

    assert not [text for text in kept if token in text]


def test_a_link_works_for_one_hour_however_often_others_are_asked_for_and_one_ends_all(app: Flask) -> None:
    user = a_customer()
    asked_for(user.email)
    first = token_mailed(app)
    asked_for(user.email)
    second = token_mailed(app)

    for token, now in ((first, NOON + timedelta(hours=1)), ("x" * 43, NOON)):
        with pytest.raises(LinkIsSpent):
            set_password(token, now=now)
    set_password(first, now=NOON + timedelta(minutes=59))

    assert users.password_hash_by_email(user.email) == NEW_HASH
    with pytest.raises(LinkIsSpent):
        set_password(second, now=NOON + timedelta(minutes=59))


def test_an_unknown_address_gets_no_mail_and_is_not_kept() -> None:
    a_customer()

    asked_for("nobody@example.com")

    assert _kinds_of_mails() == []
    assert db.session.scalars(select(ResetRequest)).all() == []


def test_requests_that_waited_for_more_than_an_hour_are_dropped() -> None:
    user = a_customer()
    with transaction():
        password_reset.request_reset(user.email, now=NOON - timedelta(hours=2))

    answer_all()

    assert _kinds_of_mails() == []


def test_a_reset_proves_the_address_and_lets_passwords_be_tried_again(app: Flask) -> None:
    user = a_customer()
    with transaction():
        db.session.get_one(User, user.id).email_confirmed_at = None

    def log_in_from_everywhere() -> None:
        for number in range(throttles.PASSWORDS_BEFORE_SLOWING + 3):
            with transaction():
                throttles.count_log_in(user.email, network=f"n{number % 20}", device=None, now=NOON)

    with pytest.raises(TooManyTries):
        log_in_from_everywhere()
    asked_for(user.email)

    set_password(token_mailed(app))

    assert db.session.get_one(User, user.id).email_confirmed_at == NOON
    with transaction():
        throttles.count_log_in(user.email, network="n0", device=None, now=NOON)


def test_an_address_nobody_confirmed_gets_one_link_an_hour(app: Flask) -> None:
    user = a_customer()
    with transaction():
        db.session.get_one(User, user.id).email_confirmed_at = None

    for _ in range(3):
        asked_for(user.email)

    assert _kinds_of_mails() == ["reset"]


def test_a_log_in_on_another_device_is_reported_once_and_the_very_first_is_not() -> None:
    user = a_customer()
    devices = (("Firefox on Linux", "192.0.2.0/24"), ("Firefox on Linux", "192.0.2.0/24"), ("Safari on iPhone", "n"))
    for number, (device, network) in enumerate(devices):
        with transaction():
            sessions.log_in(user, device=device, network=network, now=NOON + timedelta(seconds=number))

    (mail,) = db.session.scalars(select(Mail))

    assert (mail.email, mail.subject, mail.unsubscribe) == (user.email, "New log-in to your account", "")
    assert "Safari on iPhone" in mail.text


def test_warnings_go_to_confirmed_addresses_only() -> None:
    user = a_customer()
    with transaction():
        db.session.execute(update(User).values(email_confirmed_at=None))
        security_alerts.password_changed(user.id, now=NOON)
        for device in ("Firefox", "Safari"):
            sessions.log_in(user, device=device, network="n", now=NOON)

    assert db.session.scalars(select(LoginSession.device)).all() == ["Firefox", "Safari"]
    assert _kinds_of_mails() == []


def _kinds_of_mails() -> list[str]:
    return list(db.session.scalars(select(Mail.kind).order_by(Mail.id)))


def _texts_of_mails() -> list[str]:
    return list(db.session.scalars(select(Mail.text)))


@pytest.mark.both_engines
def test_one_link_used_twice_at_once_sets_one_password(app: Flask) -> None:
    user = a_customer()
    asked_for(user.email)
    token = token_mailed(app)
    db.session.rollback()
    spent: list[bool] = []
    start = threading.Barrier(2)

    def use() -> None:
        with app.app_context():
            start.wait()
            try:
                set_password(token)
                spent.append(False)
            except LinkIsSpent:
                spent.append(True)
            db.session.remove()

    browsers = [threading.Thread(target=use) for _ in range(2)]
    for browser in browsers:
        browser.start()
    for browser in browsers:
        browser.join()

    assert sorted(spent) == [False, True]
    assert _kinds_of_mails() == ["reset", "password_changed"]


@pytest.mark.both_engines
def test_two_requests_answered_at_once_leave_two_links_that_work(app: Flask) -> None:
    user = a_customer()
    with transaction():
        for _ in range(2):
            password_reset.request_reset(user.email, now=NOON)

    with transaction():
        password_reset.process_next(now=NOON)
        second = start_in_thread(app, answer_all)
    second.result(30)

    links = db.session.scalars(select(EmailLink.ended_at).order_by(EmailLink.id)).all()
    assert (len(links), links.count(None)) == (2, 2)


@pytest.mark.both_engines
def test_request_answered_while_the_account_is_closed_mails_nothing(app: Flask) -> None:
    user = a_customer("0")
    with transaction():
        password_reset.request_reset(user.email, now=NOON)

    with transaction():
        ledger.lock_accounts([user.id])
        answer = start_in_thread(app, answer_all)
        closing.close(user.id, given_up_nanos=0, now=NOON)
    answer.result(30)

    assert db.session.scalars(select(EmailLink)).all() == []
    assert "reset" not in _kinds_of_mails()
    assert not password_reset.is_any_requested()


def test_a_restored_backup_brings_no_link_to_life_again(app: Flask) -> None:
    asked_for(a_customer().email)
    token = token_mailed(app)

    with transaction():
        email_links.end_everyones(now=NOON)

    with pytest.raises(LinkIsSpent):
        set_password(token)
