"""Signed-in devices end at once, and tries are counted by account and by network."""

import threading
from datetime import timedelta

import pytest
from flask import Flask

from panel.db import db, transaction
from panel.domain.errors import TooManyTries
from panel.models import FailedTry, SignIn, User
from panel.services import sign_ins
from panel.services.sign_ins import SignedIn
from tests.factories import NOON, a_customer

HOME = "203.0.113.0/24"
ELSEWHERE = "198.51.100.0/24"


def sign_in(user: User) -> SignedIn:
    with transaction():
        return sign_ins.sign_in(user, device="Firefox on Linux", network=HOME, now=NOON)


def try_once(
    email: str | None = "ada@example.com", *, network: str = HOME, later: timedelta = timedelta()
) -> sign_ins.Tries:
    with transaction():
        return sign_ins.count_try(email, network=network, now=NOON + later)


@pytest.mark.both_engines
def test_token_finds_its_device_and_is_not_in_the_database() -> None:
    user = a_customer()

    device = sign_in(user)

    assert sign_ins.find(device.token, now=NOON) == device
    assert device.id == user.id and device.email == user.email
    kept = db.session.get_one(SignIn, device.sign_in_id)
    assert kept.token_hash == sign_ins.token_hash(device.token) != device.token


@pytest.mark.both_engines
def test_ended_device_is_out_at_once() -> None:
    device = sign_in(a_customer())

    with transaction():
        assert sign_ins.end(device.sign_in_id, user_id=device.id, now=NOON)

    assert sign_ins.find(device.token, now=NOON) is None
    assert sign_ins.devices(device.id, now=NOON) == []


def test_device_of_someone_else_can_not_be_ended() -> None:
    mine, theirs = sign_in(a_customer()), sign_in(a_customer())

    with transaction():
        assert not sign_ins.end(theirs.sign_in_id, user_id=mine.id, now=NOON)

    assert sign_ins.find(theirs.token, now=NOON) is not None


def test_ending_the_others_keeps_this_device_and_other_people() -> None:
    user = a_customer()
    here, there, stranger = sign_in(user), sign_in(user), sign_in(a_customer())

    with transaction():
        sign_ins.end_others(user.id, keep=here.sign_in_id, now=NOON)

    assert sign_ins.find(here.token, now=NOON) is not None
    assert sign_ins.find(there.token, now=NOON) is None
    assert sign_ins.find(stranger.token, now=NOON) is not None


def test_device_is_signed_out_after_thirty_days() -> None:
    device = sign_in(a_customer())

    assert sign_ins.find(device.token, now=NOON + timedelta(days=30, seconds=-1)) is not None
    assert sign_ins.find(device.token, now=NOON + timedelta(days=30)) is None


@pytest.mark.both_engines
def test_eleventh_try_on_an_account_is_refused_until_the_first_is_old() -> None:
    for second in range(10):
        try_once(later=timedelta(seconds=second))

    with pytest.raises(TooManyTries) as refused:
        try_once(" ADA@example.com", network=ELSEWHERE, later=timedelta(minutes=5))

    assert refused.value.retry_after_seconds == 600
    assert "10 minutes" in refused.value.message
    try_once(later=timedelta(minutes=15))


@pytest.mark.both_engines
def test_network_has_fifty_tries_over_all_accounts() -> None:
    for number in range(50):
        try_once(f"customer-{number}@example.com")

    with pytest.raises(TooManyTries):
        try_once("another@example.com")
    with pytest.raises(TooManyTries):
        try_once(None)
    try_once("another@example.com", network=ELSEWHERE)


def test_right_password_clears_the_account_but_not_the_failures_of_the_network() -> None:
    for _ in range(9):
        try_once()
    right = try_once()

    with transaction():
        sign_ins.forget_tries(right)

    assert [row.bucket for row in db.session.query(FailedTry)] == [f"network:{HOME}"] * 9


def test_what_was_typed_as_an_email_is_not_kept() -> None:
    try_once("my secret password")

    assert "secret" not in " ".join(row.bucket for row in db.session.query(FailedTry))


@pytest.mark.both_engines
def test_tries_at_once_are_not_more_than_ten(app: Flask) -> None:
    let_through = []

    def run() -> None:
        with app.app_context():
            try:
                try_once()
                let_through.append(1)
            except TooManyTries:
                pass

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(let_through) == 10
