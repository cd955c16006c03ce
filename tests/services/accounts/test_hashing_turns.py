"""Password hashing turns: one hash at a time; a busy process refuses immediately and counts nothing."""

import contextlib
import threading
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.db import db
from panel.domain.errors import TooManyTries
from panel.middleware.log_in_turns import LogInTurns
from panel.models import ThrottleHit
from panel.services.accounts import hashing_turns, users
from tests.support.browsing import is_logged_in
from tests.support.factories import PASSWORD, a_customer


def test_all_but_two_are_turned_away_and_their_places_come_back() -> None:
    with hashing_turns.turn(), hashing_turns.turn(), pytest.raises(TooManyTries) as refused, hashing_turns.turn():
        pass

    assert refused.value.retry_after_seconds == 1
    with hashing_turns.turn(), hashing_turns.turn():
        pass


def test_a_password_waits_until_the_one_before_it_is_hashed() -> None:
    is_done = threading.Event()

    def hash_one() -> None:
        users.hash_password(PASSWORD)
        is_done.set()

    with hashing_turns.running:
        threading.Thread(target=hash_one, daemon=True).start()
        assert not is_done.wait(0.3)

    assert is_done.wait(30)


@pytest.mark.parametrize("path", ["/log-in", "/sign-up"])
def test_busy_log_in_is_429_with_a_second_to_wait_and_counts_no_try(client: FlaskClient, path: str) -> None:
    email = a_customer().email if path == "/log-in" else "new@example.com"

    with hashing_turns.turn(), hashing_turns.turn():
        answer = client.post(path, data={"email": email, "password": PASSWORD})

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert hashing_turns.BUSY in answer.text and f'value="{email}"' in answer.text
    assert db.session.scalar(select(func.count()).select_from(ThrottleHit)) == 0
    assert client.post(path, data={"email": email, "password": PASSWORD}).status_code == 303
    assert is_logged_in(client)


@pytest.mark.parametrize("hashes", [True, False], ids=["hashes", "is over"])
def test_request_for_the_log_in_waits_until_the_one_before_it(
    app: Flask, hashes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing_turns, "MAX_WAIT_SECONDS", 60)
    is_answered = threading.Event()

    def get_form() -> None:
        with app.app_context():
            assert app.test_client().get("/log-in").status_code == 200
        is_answered.set()

    with contextlib.ExitStack() as first:
        first.enter_context(hashing_turns.log_in_request())
        threading.Thread(target=get_form, daemon=True).start()
        assert not is_answered.wait(0.3)

        if hashes:
            first.enter_context(hashing_turns.turn())
        else:
            first.close()

        assert is_answered.wait(30)


def test_request_for_the_log_in_goes_on_beside_one_that_hangs(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing_turns, "MAX_WAIT_SECONDS", 0.01)
    is_held, is_over = threading.Event(), threading.Event()

    def hang() -> None:
        with hashing_turns.log_in_request():
            is_held.set()
            is_over.wait(60)

    hanging = threading.Thread(target=hang)
    hanging.start()
    assert is_held.wait(30)

    beside = client.get("/log-in").status_code
    is_over.set()
    hanging.join()

    assert beside == 200
    assert client.get("/log-in").status_code == 200


def test_log_in_waits_until_other_requests_are_answered(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing_turns, "MAX_GIVE_WAY_SECONDS", 60)
    # The first one also compiles the templates, which takes longer than it is waited for below.
    assert client.get("/log-in").status_code == 200
    begun, is_over, is_answered = threading.Event(), threading.Event(), threading.Event()

    def slow_page(_environ: WSGIEnvironment, _start_response: StartResponse) -> list[bytes]:
        begun.set()
        is_over.wait(60)
        return []

    def get_form() -> None:
        with app.app_context():
            assert app.test_client().get("/log-in").status_code == 200
        is_answered.set()

    page = threading.Thread(target=LogInTurns(slow_page), args=({"PATH_INFO": "/orders"}, None))
    page.start()
    assert begun.wait(30)
    threading.Thread(target=get_form, daemon=True).start()

    assert not is_answered.wait(0.3)
    is_over.set()
    assert is_answered.wait(30)
    page.join()


def test_password_hashed_by_another_page_does_not_wait_for_that_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing_turns, "MAX_GIVE_WAY_SECONDS", 60)
    is_done = threading.Event()

    def change_password(_environ: WSGIEnvironment, _start_response: StartResponse) -> list[bytes]:
        users.is_password(PASSWORD, None)
        is_done.set()
        return []

    threading.Thread(target=LogInTurns(change_password), args=({"PATH_INFO": "/account"}, None), daemon=True).start()

    assert is_done.wait(30)
