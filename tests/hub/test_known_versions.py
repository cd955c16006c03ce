"""Versions that the hub knows: each change wakes every stream of its customer once; on both engines."""

import json

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.db import db, transaction
from panel.hub import known_versions
from panel.hub.application import Hub
from panel.hub.known_versions import KnownVersions
from panel.hub.streams import SessionStream
from panel.models import Catalogue, LoginSession, User
from panel.services import customer_version
from tests.support.factories import a_customer
from tests.support.session_cookies import session_cookie


def bump(*users: User) -> None:
    with transaction():
        customer_version.bump([user.id for user in users])


def a_session(app: Flask, user: User) -> str:
    session_cookie(app, user)
    found = db.session.scalar(select(LoginSession.token_hash).where(LoginSession.user_id == user.id))
    db.session.rollback()
    assert found is not None
    return found


def opened(hub: Hub, session: str) -> SessionStream:
    """A stream whose page is up to date."""
    stream = hub.streams.open(session, known="")
    assert stream is not None
    stream.is_due, stream.known = False, stream.versions
    return stream


@pytest.mark.both_engines
def test_change_before_a_second_stream_opens_still_wakes_the_first(app: Flask) -> None:
    customer = a_customer()
    hub, session = Hub(app), a_session(app, customer)
    first = opened(hub, session)
    # The first look is at everyone's.
    hub.streams.update()

    bump(customer)
    second = opened(hub, session)
    hub.streams.update()

    assert first.is_due
    assert not second.is_due


@pytest.mark.both_engines
def test_only_streams_of_changed_customers_wake_until_the_catalogue_changes(app: Flask) -> None:
    mine, other = a_customer(), a_customer()
    hub = Hub(app)
    my, others = (opened(hub, a_session(app, user)) for user in (mine, other))
    hub.streams.update()
    assert not my.is_due and not others.is_due

    bump(mine)
    hub.streams.update()
    assert my.is_due and not others.is_due

    my.is_due, my.known = False, my.versions
    hub.streams.update()
    assert not my.is_due

    with transaction():
        db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))
    hub.streams.update()
    assert my.is_due and others.is_due


def test_stream_that_closed_is_forgotten_and_one_more_change_wakes_the_next(app: Flask) -> None:
    customer = a_customer()
    hub, session = Hub(app), a_session(app, customer)
    hub.streams.close(opened(hub, session))
    bump(customer)
    hub.streams.update()

    stream = opened(hub, session)
    bump(customer)
    hub.streams.update()

    assert stream.is_due


def test_each_change_is_found_once_however_many_there_are() -> None:
    now = dict.fromkeys(range(200), 1)
    known = KnownVersions(lambda text: {int(i): now[int(i)] for i, v in json.loads(text).items() if now[int(i)] != v})
    for number, version in now.items():
        known.add(number, version)

    found = []
    for number in range(2 * known_versions.MAX_STALE):
        now[number] += 1
        found.append(known.look())

    assert found == [{number} for number in range(2 * known_versions.MAX_STALE)]
    assert known.look() == set()


def test_version_that_could_not_be_read_is_a_change() -> None:
    known = KnownVersions(lambda text: {1: 5} if json.loads(text)["1"] != 5 else {})
    known.add(1, None)

    assert known.look() == {1}
    assert known[1] == 5
