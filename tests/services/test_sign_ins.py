"""Signed-in devices end at once."""

from datetime import timedelta

import pytest

from panel.db import db, transaction
from panel.models import SignIn, User
from panel.services import sign_ins
from panel.services.sign_ins import SignedIn
from tests.factories import NOON, a_customer

HOME = "203.0.113.0/24"


def sign_in(user: User) -> SignedIn:
    with transaction():
        return sign_ins.sign_in(user, device="Firefox on Linux", network=HOME, now=NOON)


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
