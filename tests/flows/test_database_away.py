"""Database unavailable, full, read-only or locked: a timely 503, nothing recorded, and reads go on."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, event, func, select, text
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from panel import db as database
from panel.application import create_app
from panel.clock import utc_now
from panel.db import db
from panel.models import ApiKey, Order, User
from tests.conftest import Client
from tests.support import databases
from tests.support.api_clients import a_caller
from tests.support.factories import LINK, a_customer, a_tool, an_operator, logged_in
from tests.support.servers import free_port

FORM = {"tool": "page-visits", "link": LINK, "quantity": "100", "request_id": "away-0001"}
MAX_SECONDS, QUICK_SECONDS = 5.0, 1.5
NOTHING = "Nothing was recorded"
AWAY = "postgresql+psycopg://panel@127.0.0.1:{}/panel"


@pytest.fixture
def web(app: Flask, database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """A second app, as a web process has it."""
    web = create_app(databases.settings_for(tmp_path / "instance", database_url=database_url), is_web=True)
    web.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    web.test_client_class = Client
    yield web
    databases.close(web)


@contextmanager
def held(customer: User) -> Iterator[None]:
    """Another process holds the lock that this customer's changes need: on the file, or on the account's row."""
    url = db.engine.url.render_as_string(hide_password=False)
    other = create_engine(url, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        if db.engine.dialect.name == "sqlite":
            connection.execute(text("BEGIN IMMEDIATE"))
        else:
            connection.execute(text("BEGIN"))
            rows = "SELECT 1 FROM accounts WHERE user_id = :user FOR UPDATE"
            connection.execute(text(rows), {"user": customer.id})
        try:
            yield
        finally:
            connection.execute(text("ROLLBACK"))
    other.dispose()


def timed(ask: Any) -> tuple[TestResponse, float]:
    began = time.monotonic()
    answer = ask()
    return answer, time.monotonic() - began


def orders() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def assert_unavailable(answer: TestResponse, *, words: str = NOTHING) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    assert words in answer.text


@pytest.mark.both_engines
def test_held_lock_is_a_503_within_five_seconds_and_nothing_is_recorded(web: Flask) -> None:
    a_tool("page-visits", price="2.40")
    customer = a_customer("10")
    browser = logged_in(web.test_client(), customer)
    caller = a_caller(web.test_client(), customer)

    with held(customer):
        placed, page_seconds = timed(lambda: browser.post("/orders", data=FORM))
        added, api_seconds = timed(lambda: caller.post("add", service=1, link=LINK, quantity=100))

    assert max(page_seconds, api_seconds) < MAX_SECONDS
    assert_unavailable(placed)
    assert_unavailable(added)
    assert added.headers["X-Error-Code"] == "unavailable"
    assert list(added.get_json()) == ["error"]
    assert orders() == 0


@pytest.mark.both_engines
def test_reads_do_not_wait_for_a_held_lock(web: Flask) -> None:
    a_tool("page-visits", price="2.40")
    customer = a_customer("10")
    browser = logged_in(web.test_client(), customer)
    caller = a_caller(web.test_client(), customer)

    paths = ("/orders", "/balance", "/tools", "/account")
    for path in paths:
        browser.get(path)  # Templates are compiled at first use, which takes a while on a busy machine.

    with held(customer):
        asked = [timed(lambda path=path: browser.get(path)) for path in paths]
        asked.append(timed(lambda: caller.post("balance")))

    assert [answer.status_code for answer, _seconds in asked] == [200] * len(asked)
    assert max(seconds for _answer, seconds in asked) < QUICK_SECONDS


@pytest.mark.both_engines
def test_operator_reads_while_the_lock_is_held_though_the_session_s_use_is_due(web: Flask) -> None:
    customer = a_customer("10")
    browser = logged_in(web.test_client(), an_operator(), at=utc_now() - timedelta(hours=1))
    browser.get("/office")
    again = logged_in(web.test_client(), an_operator(), at=utc_now() - timedelta(hours=1))

    with held(customer):
        page, seconds = timed(lambda: again.get("/office"))

    assert page.status_code in (200, 303)
    assert seconds < QUICK_SECONDS


@pytest.mark.both_engines
def test_use_of_a_key_is_noted_by_the_next_call_that_need_not_wait(web: Flask) -> None:
    customer = a_customer("10")
    caller = a_caller(web.test_client(), customer)

    with database.transaction():
        pass
    if db.engine.dialect.name == "sqlite":
        with held(customer):
            assert caller.post("balance").status_code == 200
        db.session.rollback()
        assert db.session.scalars(select(ApiKey.used_at)).one() is None
    assert caller.post("balance").status_code == 200

    db.session.rollback()
    assert db.session.scalars(select(ApiKey.used_at)).one() is not None


@pytest.mark.both_engines
def test_some_threads_may_wait_for_the_database_and_the_rest_are_refused_soon(web: Flask) -> None:
    a_tool("page-visits", price="2.40")
    customer = a_customer("10")
    browsers = [logged_in(web.test_client(), customer) for _ in range(database.MAX_WRITERS + 4)]
    together = threading.Barrier(len(browsers))

    def place(number: int, browser: FlaskClient) -> float:
        with web.app_context():
            together.wait()
            answer, seconds = timed(lambda: browser.post("/orders", data=FORM | {"request_id": f"away-{number:04d}"}))
            assert_unavailable(answer)
            return seconds

    with held(customer), ThreadPoolExecutor(len(browsers)) as pool:
        times = sorted(pool.map(place, range(len(browsers)), browsers))

    assert times[3] < QUICK_SECONDS + database.WRITE_SLOT_WAIT_SECONDS
    assert times[4] > database.WEB_WAIT_SECONDS / 2
    assert times[-1] < MAX_SECONDS
    assert orders() == 0


@pytest.mark.parametrize(
    ("pragma", "what"),
    [("query_only=ON", "read-only"), ("max_page_count=1", "full")],
)
def test_full_or_read_only_database_is_a_503_and_nothing_is_recorded(web: Flask, pragma: str, what: str) -> None:
    a_tool("page-visits", price="2.40")
    customer = a_customer("10")
    browser = logged_in(web.test_client(), customer)
    with web.app_context():
        event.listen(db.engine, "checkout", lambda connection, *_: connection.execute(f"PRAGMA {pragma}"))

    long_link = f"{LINK}{'a' * 300}"
    answers = [
        browser.post("/orders", data=FORM | {"request_id": f"away-{n:04d}", "link": long_link}) for n in range(40)
    ]
    refused = [answer for answer in answers if answer.status_code != 303]

    assert refused, f"the database is {what}"
    for answer in refused:
        assert_unavailable(answer)
    assert orders() == len(answers) - len(refused)
    assert browser.get("/orders").status_code == 200


def test_damaged_file_is_a_503(web: Flask, tmp_path: Path) -> None:
    with web.app_context():
        db.engine.dispose()
    for path in (tmp_path / "instance").glob("panel.db*"):
        path.write_bytes(b"no database at all " * 400)

    assert_unavailable(web.test_client().get("/platform-status"))


@pytest.fixture
def without_database(tmp_path: Path) -> Flask:
    settings = databases.settings_for(tmp_path / "away", database_url=AWAY.format(free_port()))
    away = create_app(settings, is_web=True)
    away.config.update(WTF_CSRF_ENABLED=False)
    return away


@pytest.mark.parametrize(
    "headers", [{}, {"HX-Request": "true"}, {"Accept-Encoding": "gzip"}], ids=["page", "fragment", "packed"]
)
@pytest.mark.parametrize("path", ["/", "/tools", "/orders/live", "/log-in"])
def test_page_without_a_database_says_so_and_asks_none(
    without_database: Flask, path: str, headers: dict[str, str]
) -> None:
    client = without_database.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "somebody"

    answer = client.get(path, headers=headers)

    assert_unavailable(answer)


def test_programs_get_a_json_error_while_the_database_is_unavailable(without_database: Flask) -> None:
    client = without_database.test_client()

    called = client.post("/api/v2", data={"key": "k" * 40, "action": "balance"})
    ready, alive = client.get("/readyz"), client.get("/healthz")

    assert_unavailable(called)
    assert called.mimetype == "application/json"
    assert (ready.status_code, ready.text) == (503, "not ready: database\n")
    assert (alive.status_code, alive.text) == (200, "ok\n")


def test_uncertain_commit_is_not_reported_as_unsaved(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    a_tool("page-visits", price="2.40")
    browser = logged_in(web.test_client(), a_customer("10"))
    lost = sqlite3.OperationalError("database is locked")
    lost.sqlite_errorcode = sqlite3.SQLITE_BUSY

    def fail(*_: object, **__: object) -> str:
        raise OperationalError("", None, lost)

    monkeypatch.setattr("panel.blueprints.orders.new.url_for", fail)
    answer = browser.post("/orders", data=FORM)

    assert orders() == 1
    assert_unavailable(answer, words="We can’t tell how far this got")
    assert NOTHING not in answer.text
