"""Live poll 304: never stale, never for ended sessions; in any doubt Flask answers."""

import multiprocessing
import re
import threading
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.middleware.live_poll_304 import LivePoll304
from panel.middleware.session_lookup import SessionLookup
from panel.models import Catalogue, LoginSession
from panel.services.accounts import sessions
from panel.services.orders import transitions
from tests.support.factories import NOON, a_customer, an_order, logged_in

pytestmark = pytest.mark.both_engines

ASKED = "asked of Flask"


@pytest.fixture
def layer(app: Flask) -> FlaskClient:
    """A client of the middleware in front of an app that only reports that it was called."""

    def inner(_environ: object, start_response: object) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])  # type: ignore[operator]
        return [ASKED.encode()]

    layered = Flask(__name__)
    layered.config.update(SECRET_KEY=app.config["SECRET_KEY"])
    layered.wsgi_app = LivePoll304(inner, SessionLookup(app))  # type: ignore[method-assign]
    return layered.test_client()


def tag_for(client: FlaskClient, path: str = "/orders") -> str:
    found = re.search(r'data-hx-ptag="(\w+)"', client.get(path).text)
    assert found is not None
    return found[1]


def borrow_cookie(app: Flask, to: FlaskClient, of: FlaskClient) -> None:
    cookie = of.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert cookie is not None
    to.set_cookie(cookie.key, cookie.value)


def poll(client: FlaskClient, tag: str, path: str = "/orders/live") -> int:
    return client.get(path, headers={"HX-PTag": tag}).status_code


@pytest.fixture
def order_id(client: FlaskClient) -> int:
    customer = a_customer("100")
    logged_in(client, customer)
    return an_order(customer=customer).id


def test_unchanged_is_answered_without_flask(
    app: Flask, client: FlaskClient, layer: FlaskClient, order_id: int
) -> None:
    tag = tag_for(client)
    borrow_cookie(app, layer, client)

    answers = [layer.get("/orders/live", headers={"HX-PTag": tag}) for _ in range(3)]

    assert [(answer.status_code, answer.data) for answer in answers] == [(304, b"")] * 3
    assert order_id and answers[0].headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("status", [Status.PROCESSING, Status.IN_PROGRESS, Status.COMPLETED, Status.CANCELED])
def test_the_first_poll_after_a_move_brings_it(client: FlaskClient, order_id: int, status: Status) -> None:
    tag = tag_for(client)
    before = poll(client, tag)
    with transaction():
        transitions.move_order(transitions.lock_order(order_id), status, remains=0, now=NOON)

    assert (before, poll(client, tag)) == (304, 200)


def test_a_new_catalogue_is_something_new(client: FlaskClient, order_id: int) -> None:
    tag = tag_for(client)
    with transaction():
        db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))

    assert order_id and poll(client, tag) == 200


def test_a_logged_out_device_is_rejected_immediately(client: FlaskClient, order_id: int) -> None:
    tag = tag_for(client)
    before = poll(client, tag)
    with transaction():
        db.session.execute(update(LoginSession).values(ended_at=utc_now()))

    answer = client.get("/orders/live", headers={"HX-PTag": tag})

    assert order_id and before == 304
    assert (answer.status_code, answer.data) == (401, b"")


def test_a_device_is_logged_out_after_thirty_days(client: FlaskClient, order_id: int) -> None:
    tag = tag_for(client)
    with transaction():
        db.session.execute(update(LoginSession).values(logged_in_at=utc_now() - sessions.LASTS + timedelta(minutes=1)))
    before = poll(client, tag)
    with transaction():
        db.session.execute(update(LoginSession).values(logged_in_at=utc_now() - sessions.LASTS))

    assert order_id and (before, poll(client, tag)) == (304, 401)


def test_etag_of_one_customer_never_gives_another_a_304(app: Flask, client: FlaskClient, order_id: int) -> None:
    tag = tag_for(client)
    other = a_customer("100")
    an_order(customer=other)
    stranger = logged_in(app.test_client(), other)

    assert order_id and poll(stranger, tag) == 200


def test_a_tag_holds_for_its_own_address_alone(client: FlaskClient, order_id: int) -> None:
    tag = tag_for(client, "/orders?status=pending")

    assert order_id
    assert poll(client, tag, "/orders/live?status=pending") == 304
    assert poll(client, tag, "/orders/live") == poll(client, tag, "/orders/live?status=partial") == 200


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "é", "." * 9_000])
def test_a_cookie_that_we_did_not_sign_is_left_to_flask(
    app: Flask, client: FlaskClient, layer: FlaskClient, order_id: int, cookie: str
) -> None:
    tag = tag_for(client)
    name = app.config["SESSION_COOKIE_NAME"]

    answer = layer.get("/orders/live", headers={"HX-PTag": tag, "Cookie": f"{name}={cookie}"})

    assert order_id and answer.text == ASKED


def test_all_but_polls_of_live_regions_is_left_to_flask(
    app: Flask, client: FlaskClient, layer: FlaskClient, order_id: int
) -> None:
    tag = tag_for(client)
    borrow_cookie(app, layer, client)

    others = [
        layer.get("/orders/live"),
        layer.post("/orders/live", headers={"HX-PTag": tag}),
        layer.get("/orders", headers={"HX-PTag": tag}),
        layer.get("/orders/live", headers={"HX-PTag": "0" * 32}),
    ]

    assert order_id and [answer.text for answer in others] == [ASKED] * 4


def test_a_database_that_cannot_be_read_is_left_to_flask(
    app: Flask, client: FlaskClient, layer: FlaskClient, order_id: int
) -> None:
    tag = tag_for(client)
    borrow_cookie(app, layer, client)
    with transaction():
        db.session.connection().exec_driver_sql("ALTER TABLE catalogue RENAME TO elsewhere")

    assert order_id and layer.get("/orders/live", headers={"HX-PTag": tag}).text == ASKED


def test_threads_ask_side_by_side(app: Flask, client: FlaskClient, layer: FlaskClient, order_id: int) -> None:
    tag = tag_for(client)
    borrow_cookie(app, layer, client)
    cookie = layer.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert order_id and cookie is not None
    headers = {"HX-PTag": tag, "Cookie": f"{cookie.key}={cookie.value}"}
    seen: list[int] = []

    def ask() -> None:
        asking = layer.application.test_client(use_cookies=False)
        seen.extend(asking.get("/orders/live", headers=headers).status_code for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [304] * 80


def test_a_forked_process_opens_connections_of_its_own(
    app: Flask, client: FlaskClient, layer: FlaskClient, order_id: int, engine: str
) -> None:
    tag = tag_for(client)
    borrow_cookie(app, layer, client)
    before = layer.get("/orders/live", headers={"HX-PTag": tag}).status_code
    if engine == "postgresql":
        db.session.remove()
        db.engine.dispose()
    forking = multiprocessing.get_context("fork")
    statuses = forking.Queue()

    child = forking.Process(
        target=lambda: statuses.put(layer.get("/orders/live", headers={"HX-PTag": tag}).status_code)
    )
    child.start()
    answer = statuses.get(timeout=10)
    child.join(10)

    assert order_id and (before, answer, child.exitcode) == (304, 304, 0)
    assert layer.get("/orders/live", headers={"HX-PTag": tag}).status_code == 304
