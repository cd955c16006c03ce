"""Sessions: logging out a device takes effect immediately."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from panel.db import db, transaction
from panel.domain.errors import AccountDisabled
from panel.models import LoginSession, User
from panel.services.accounts import sessions
from panel.services.accounts.sessions import LoggedIn
from tests.support.factories import NOON, a_customer

HOME = "203.0.113.0/24"


def log_in(user: User) -> LoggedIn:
    with transaction():
        return sessions.log_in(user, device="Firefox on Linux", network=HOME, now=NOON)


@pytest.mark.both_engines
def test_token_finds_its_device_and_is_not_in_the_database() -> None:
    user = a_customer()

    device = log_in(user)

    assert sessions.find(device.token, now=NOON) == device
    assert device.id == user.id and device.email == user.email
    kept = db.session.get_one(LoginSession, device.session_id)
    assert kept.token_hash == sessions.token_hash(device.token) != device.token


@pytest.mark.both_engines
def test_logged_out_device_is_refused_immediately() -> None:
    device = log_in(a_customer())

    with transaction():
        assert sessions.end_session(device.session_id, user_id=device.id, now=NOON)

    assert sessions.find(device.token, now=NOON) is None
    assert sessions.devices(device.id, now=NOON) == []


def test_device_of_someone_else_can_not_be_ended() -> None:
    mine, theirs = log_in(a_customer()), log_in(a_customer())

    with transaction():
        assert not sessions.end_session(theirs.session_id, user_id=mine.id, now=NOON)

    assert sessions.find(theirs.token, now=NOON) is not None


def test_ending_the_others_keeps_this_device_and_other_people() -> None:
    user = a_customer()
    here, there, stranger = log_in(user), log_in(user), log_in(a_customer())

    with transaction():
        sessions.end_others(user.id, keep=here.session_id, now=NOON)

    assert sessions.find(here.token, now=NOON) is not None
    assert sessions.find(there.token, now=NOON) is None
    assert sessions.find(stranger.token, now=NOON) is not None


def test_device_is_logged_out_after_thirty_days() -> None:
    device = log_in(a_customer())

    assert sessions.find(device.token, now=NOON + timedelta(days=30, seconds=-1)) is not None
    assert sessions.find(device.token, now=NOON + timedelta(days=30)) is None


@pytest.mark.both_engines
@pytest.mark.parametrize("column", ["disabled_at", "closed_at"])
def test_session_of_a_disabled_or_closed_account_is_not_logged_in(column: str) -> None:
    device = log_in(a_customer())

    with transaction():
        # The session itself has not ended.
        db.session.execute(update(User).where(User.id == device.id).values({column: NOON}))

    assert sessions.find(device.token, now=NOON) is None


@pytest.mark.parametrize(
    ("address", "whom"),
    [("help@example.com", "write to help@example.com."), ("", "contact the operator of this panel.")],
)
def test_disabled_account_reads_the_reason_and_whom_to_write_to(
    app: Flask, monkeypatch: pytest.MonkeyPatch, address: str, whom: str
) -> None:
    settings = app.config["PANEL"].model_copy(update={"contact_email": address})
    monkeypatch.setitem(app.config, "PANEL", settings)
    user = a_customer()
    user.disabled_at, user.disabled_reason = NOON, "Stolen cards."

    with pytest.raises(AccountDisabled) as refused:
        sessions.check_not_disabled(user)

    assert "Reason: Stolen cards. Running orders continue" in refused.value.message
    assert refused.value.message.endswith(whom)
