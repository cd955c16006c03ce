"""Two-factor codes and recovery codes are accepted once, also when they are sent concurrently."""

import threading
from datetime import timedelta

import pytest
from flask import Flask, current_app
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused, BadInput, NotFound, StaleForm
from panel.models import AuditLogEntry, Mail, RecoveryCode, User
from panel.services.accounts import pending_sessions, sessions, two_factor, users
from panel.settings import Settings
from tests.support.factories import NOON, a_customer, an_operator, reload, with_second_factor

STEP = timedelta(seconds=two_factor.STEP_SECONDS)


def settings() -> Settings:
    found: Settings = current_app.config["PANEL"]
    return found


def show(user: User, code: str, *, later: timedelta = timedelta()) -> int | None:
    with transaction():
        return two_factor.verify_code(user.id, code=code, settings=settings(), now=NOON + later)


def code(secret: str, *, later: timedelta = timedelta()) -> str:
    return two_factor.code_at(secret, at=NOON + later)


def recovery_codes(user: User) -> list[str]:
    with transaction():
        return two_factor.new_recovery_codes(user.id, now=NOON)


def test_secret_is_encrypted_and_recovery_codes_are_hashed() -> None:
    user = a_customer()
    secret = with_second_factor(user, at=NOON)
    codes = recovery_codes(user)

    assert secret not in reload(user).encrypted_totp != ""
    kept = " ".join(db.session.scalars(select(RecoveryCode.code_hash)))
    assert len(set(codes)) == two_factor.RECOVERY_CODES == 10
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_code_of_a_clock_half_a_minute_off_is_taken(steps: int) -> None:
    user = a_customer()
    secret = with_second_factor(user, at=NOON - 9 * STEP)

    assert show(user, code(secret, later=steps * STEP)) is None


@pytest.mark.parametrize("steps", [-3, -2, 2, 3])
def test_code_of_a_clock_further_off_is_refused(steps: int) -> None:
    user = a_customer()
    secret = with_second_factor(user, at=NOON - 9 * STEP)

    with pytest.raises(BadInput):
        show(user, code(secret, later=steps * STEP))


def test_code_is_taken_once_and_with_it_every_earlier_one() -> None:
    user = a_customer()
    secret = with_second_factor(user, at=NOON - 9 * STEP)
    show(user, code(secret))

    with pytest.raises(BadInput, match="has been used"):
        show(user, code(secret))
    with pytest.raises(BadInput, match="has been used"):
        show(user, code(secret, later=-STEP))
    show(user, code(secret, later=STEP), later=STEP)


def test_code_that_confirmed_the_set_up_does_not_log_in() -> None:
    user = a_customer()
    secret = two_factor.new_secret()
    with transaction():
        two_factor.enable(user.id, secret=secret, code=code(secret), settings=settings(), now=NOON)

    with pytest.raises(BadInput):
        show(user, code(secret))


@pytest.mark.both_engines
def test_same_code_shown_by_many_at_once_lets_one_in(app: Flask) -> None:
    user = a_customer()
    secret = with_second_factor(user, at=NOON - 9 * STEP)
    [recovery, *_] = recovery_codes(user)
    user_id, taken = user.id, []

    def run(typed: str) -> None:
        with app.app_context():
            try:
                with transaction():
                    two_factor.verify_code(user_id, code=typed, settings=settings(), now=NOON)
                taken.append(typed)
            except BadInput:
                pass

    threads = [threading.Thread(target=run, args=(typed,)) for typed in [code(secret), recovery] * 6]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == sorted([code(secret), recovery])


@pytest.mark.parametrize("typed", ["", "   ", "12345", "abcdef", "１２３４５６", "x" * 1000, "\x00", "\ud800"])
def test_invalid_code_is_refused(typed: str) -> None:
    user = a_customer()
    with_second_factor(user, at=NOON)

    with pytest.raises(BadInput) as refused:
        show(user, typed)

    assert refused.value.field == "code"


def test_recovery_code_works_once_however_it_is_typed() -> None:
    user = a_customer()
    with_second_factor(user, at=NOON)
    [first, second, *_] = recovery_codes(user)

    assert show(user, first.upper().replace("-", " ")) == 9
    with pytest.raises(BadInput):
        show(user, first)
    assert show(user, second.replace("-", "")) == 8


def test_new_recovery_codes_end_the_old_ones_and_those_of_others_never_work() -> None:
    user, stranger = a_customer(), a_customer()
    with_second_factor(user, at=NOON)
    with_second_factor(stranger, at=NOON)
    [old, *_], [theirs, *_] = recovery_codes(user), recovery_codes(stranger)
    [new, *_] = recovery_codes(user)

    for typed in (old, theirs):
        with pytest.raises(BadInput):
            show(user, typed)
    assert show(user, new) == 9


def test_second_set_up_at_once_changes_nothing() -> None:
    user = a_customer()
    secret = with_second_factor(user, at=NOON)
    other = two_factor.new_secret()

    with pytest.raises(StaleForm), transaction():
        two_factor.enable(user.id, secret=other, code=code(other), settings=settings(), now=NOON)

    assert show(user, code(secret)) is None


def test_offer_opens_for_the_person_it_was_made_for_alone() -> None:
    user, stranger = a_customer(), a_customer()
    ciphertext = two_factor.encrypt_offer("SECRET", user_id=user.id, settings=settings())

    assert two_factor.decrypt_offer(ciphertext, user_id=user.id, settings=settings()) == "SECRET"
    for wrong, user_id in ((ciphertext, stranger.id), ("", user.id), (ciphertext[:-4], user.id), ("é", user.id)):
        with pytest.raises(StaleForm):
            two_factor.decrypt_offer(wrong, user_id=user_id, settings=settings())


def test_operators_replace_theirs_and_never_turn_it_off() -> None:
    operator = an_operator()
    secret = with_second_factor(operator, at=NOON)

    with pytest.raises(ActionRefused), transaction():
        two_factor.disable(operator.id, now=NOON)

    other = two_factor.new_secret()
    with transaction():
        two_factor.replace(operator.id, secret=other, code=code(other), settings=settings(), now=NOON)
    with pytest.raises(BadInput):
        show(operator, code(secret, later=STEP), later=STEP)
    assert show(operator, code(other, later=STEP), later=STEP) is None
    assert [line.action for line in db.session.query(AuditLogEntry)] == [
        "second factor set up",
        "second factor replaced",
    ]


def test_reset_takes_it_off_logs_out_everywhere_and_leaves_a_line() -> None:
    operator = an_operator()
    with_second_factor(operator, at=NOON)
    with transaction():
        device = sessions.log_in(operator, device="Firefox", network="unknown", has_shown_second_factor=True, now=NOON)
        pending = pending_sessions.begin(operator, now=NOON)

    with transaction():
        two_factor.reset(operator.email, reason="Seen in person", actor="root", now=NOON)

    assert not two_factor.is_enabled(operator.id)
    assert sessions.find(device.token, now=NOON) is None
    assert pending_sessions.find(pending.token, now=NOON) is None
    line = db.session.query(AuditLogEntry).order_by(AuditLogEntry.id.desc()).first()
    assert line is not None and (line.action, line.actor, line.detail) == (
        "second factor reset",
        "root",
        "Seen in person",
    )
    with pytest.raises(ActionRefused), transaction():
        two_factor.reset(operator.email, reason="Again", actor="root", now=NOON)
    with pytest.raises(NotFound), transaction():
        two_factor.reset("nobody@example.com", reason="Again", actor="root", now=NOON)


def test_device_without_the_token_is_anonymous_on_every_address() -> None:
    user = a_customer()
    with transaction():
        before = sessions.log_in(user, device="Firefox", network="unknown", now=NOON)
    with_second_factor(user, at=NOON)

    assert sessions.find(before.token, now=NOON) is None
    with pytest.raises(ValueError, match="can't be logged in this way"), transaction():
        sessions.log_in(reload(user), device="Firefox", network="unknown", now=NOON)


def test_pending_session_ends_after_ten_minutes_once_used_and_with_the_password() -> None:
    user = a_customer()
    with transaction():
        used, late, changed = (pending_sessions.begin(user, now=NOON) for _ in range(3))

    with transaction():
        assert pending_sessions.finish(used.pending_id)
    assert not pending_sessions.finish(used.pending_id)
    assert pending_sessions.find(late.token, now=NOON + timedelta(minutes=10, seconds=-1)) is not None
    assert pending_sessions.find(late.token, now=NOON + timedelta(minutes=10)) is None
    with transaction():
        users.set_password(user.id, password_hash="another")
    assert pending_sessions.find(changed.token, now=NOON) is None


def test_code_for_trying_things_out_is_always_one_that_is_taken() -> None:
    user = a_customer()
    with_second_factor(user, at=NOON)

    for _ in range(2):
        show(user, two_factor.next_code(user.email, settings=settings(), now=NOON))

    with pytest.raises(ActionRefused, match="Ask again in 30 seconds"):
        two_factor.next_code(user.email, settings=settings(), now=NOON)


def test_owner_is_notified_by_mail_of_every_change_without_any_secret() -> None:
    user = a_customer()
    secret = with_second_factor(user, at=NOON - STEP)
    [recovery, *_] = recovery_codes(user)
    show(user, recovery, later=STEP)
    with transaction():
        two_factor.disable(user.id, now=NOON + 2 * STEP)

    mails = db.session.query(Mail).filter(Mail.kind == "second_factor").order_by(Mail.id).all()
    assert [mail.subject for mail in mails] == [
        "Two-factor authentication was turned on for your account",
        "New recovery codes were created for your account",
        "A recovery code of your account was used",
        "Two-factor authentication was turned off for your account",
    ]
    assert {mail.email for mail in mails} == {user.email}
    assert not any(secret in mail.text or recovery in mail.text for mail in mails)
