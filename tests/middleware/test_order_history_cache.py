"""Order history cache: never stale, never another customer's page, always with the current time."""

import re
from functools import partial

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from panel import security
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.middleware.order_history_cache import OrderHistoryCache
from panel.middleware.session_lookup import SessionLookup
from panel.models import Catalogue, LoginSession, User
from panel.services.orders import transitions
from tests.support.factories import NOON, a_customer, an_order, logged_in

pytestmark = pytest.mark.both_engines

STAMP = re.compile(r'checked <span data-checked>\s*<time datetime="([^"]+)">([^<]+)</time>')


class RequestCounter:
    """The app behind the middleware; counts requests."""

    def __init__(self, app: Flask) -> None:
        self._inner = partial(Flask.wsgi_app, app)
        self.asked = 0

    def __call__(self, environ: object, start_response: object) -> object:
        self.asked += 1
        return self._inner(environ, start_response)  # type: ignore[arg-type]


@pytest.fixture
def site(app: Flask) -> RequestCounter:
    """Flask behind this middleware only, new for this test, with security headers; counts requests that reach Flask."""
    counted = RequestCounter(app)
    layer = OrderHistoryCache(counted, SessionLookup(app), max_pages=2, max_compressed=1)  # type: ignore[arg-type]
    app.wsgi_app = security.with_headers(layer, app.config["PANEL"])  # type: ignore[method-assign]
    return counted


@pytest.fixture
def customer(client: FlaskClient, site: RequestCounter) -> User:
    customer = a_customer("100")
    an_order(customer=customer)
    logged_in(client, customer)
    client.get("/orders")
    return customer


def without_time(answer: TestResponse) -> str:
    return re.sub(r"\d\d:\d\d(:\d\d)?( UTC|Z)|<time [^>]+>", "", answer.text)


def test_a_page_that_did_not_change_is_rendered_once(client: FlaskClient, site: RequestCounter, customer: User) -> None:
    first = client.get("/orders")
    asked = site.asked

    second = client.get("/orders")

    assert asked == site.asked
    assert (second.status_code, without_time(second)) == (200, without_time(first))
    own = ("Content-Length", "X-Request-ID")
    assert [pair for pair in second.headers if pair[0] not in own] == [
        pair for pair in first.headers if pair[0] not in own
    ]
    assert second.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in second.headers


def test_each_answer_says_its_own_time(client: FlaskClient, site: RequestCounter, customer: User) -> None:
    client.get("/orders")
    before = utc_now().replace(microsecond=0)

    found = STAMP.search(client.get("/orders").text)

    assert found is not None
    assert before.strftime("%Y-%m-%dT%H:%M:%SZ") <= found[1] <= utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")
    assert found[2] == f"{found[1][11:19]} UTC"


def test_confirmed_deposit_is_on_the_next_page(
    app: Flask, client: FlaskClient, site: RequestCounter, customer: User
) -> None:
    before = client.get("/orders").text
    done = app.test_cli_runner().invoke(args=["balance", "add", customer.email, "5", "--note", "A deposit."])

    after = client.get("/orders").text

    assert done.exit_code == 0
    assert ('data-nanos="99100000000"' in before, 'data-nanos="104100000000"' in after) == (True, True)


def test_a_new_catalogue_is_another_page(client: FlaskClient, site: RequestCounter, customer: User) -> None:
    client.get("/orders")
    asked = site.asked
    with transaction():
        db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))

    client.get("/orders")

    assert site.asked == asked + 1


def test_a_move_is_on_the_next_page(client: FlaskClient, site: RequestCounter, customer: User) -> None:
    client.get("/orders")
    order = an_order(customer=customer)
    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.PROCESSING, remains=1_000, now=NOON)

    page = client.get("/orders").text

    assert f'<tr id="order-{order.id}" data-status="processing"' in page


def test_logged_out_users_get_no_cached_page(client: FlaskClient, site: RequestCounter, customer: User) -> None:
    client.get("/orders")
    with transaction():
        db.session.execute(update(LoginSession).values(ended_at=NOON))

    answer = client.get("/orders")

    assert answer.status_code == 303
    assert "/log-in" in answer.headers["Location"]


def test_another_device_of_the_same_person_gets_a_page_of_its_own(
    app: Flask, client: FlaskClient, site: RequestCounter, customer: User
) -> None:
    """Its form has that session's CSRF token."""
    page = client.get("/orders").text
    other = logged_in(app.test_client(), customer)
    other.get("/orders")

    theirs = other.get("/orders").text

    token = re.compile(r'name="csrf_token" value="([^"]+)"')
    assert token.findall(page)[0] != token.findall(theirs)[0]


def test_the_token_of_a_kept_page_is_taken(
    client: FlaskClient, site: RequestCounter, customer: User, csrf: None
) -> None:
    client.get("/orders")
    page = client.get("/orders").text
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None

    answer = client.post("/log-out", data={"csrf_token": found[1]})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/log-in")


def test_another_customer_sees_their_own(app: Flask, client: FlaskClient, site: RequestCounter, customer: User) -> None:
    client.get("/orders")
    other = logged_in(app.test_client(), a_customer("1"))
    other.get("/orders")

    assert customer.email not in other.get("/orders").text


def test_other_filters_are_other_pages(client: FlaskClient, site: RequestCounter, customer: User) -> None:
    everything = client.get("/orders").text

    completed = client.get("/orders?status=completed").text

    assert "No orders match" in completed
    assert "No orders match" not in everything


def test_a_message_is_shown_once(client: FlaskClient, site: RequestCounter, customer: User) -> None:
    client.get("/orders")
    with client.session_transaction() as session:
        session["_flashes"] = [("message", "Said once.")]

    assert "Said once." in client.get("/orders").text
    assert "Said once." not in client.get("/orders").text


def test_pausing_is_another_page(client: FlaskClient, site: RequestCounter, customer: User) -> None:
    client.get("/orders")

    client.get("/orders?live=off")

    assert "Resume updates" in client.get("/orders").text


def test_error_responses_are_not_cached(client: FlaskClient, site: RequestCounter, customer: User) -> None:
    asked = site.asked

    answers = [client.get("/orders?from=tomorrow") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert site.asked == asked + 2
    assert STAMP.search(answers[0].text) is None


def test_the_page_not_asked_for_longest_is_compressed_and_then_dropped(
    client: FlaskClient, site: RequestCounter, customer: User
) -> None:
    pages = {number: client.get(f"/orders?q={number}") for number in (1, 2, 3)}
    asked = site.asked

    again = {number: client.get(f"/orders?q={number}") for number in (3, 1)}

    assert site.asked == asked
    assert {number: without_time(page) for number, page in again.items()} == {
        number: without_time(pages[number]) for number in (3, 1)
    }
    client.get("/orders")
    assert site.asked == asked + 1


def test_each_compressed_page_says_its_own_time(client: FlaskClient, site: RequestCounter, customer: User) -> None:
    for number in ("1", "2"):
        client.get(f"/orders?q={number}")
    before = utc_now().replace(microsecond=0)

    found = STAMP.search(client.get("/orders").text)

    assert found is not None
    assert before.strftime("%Y-%m-%dT%H:%M:%SZ") <= found[1] <= utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")
    assert found[2] == f"{found[1][11:19]} UTC"


def test_compressed_page_ends_with_the_session(client: FlaskClient, site: RequestCounter, customer: User) -> None:
    for number in ("1", "2"):
        client.get(f"/orders?q={number}")
    with transaction():
        db.session.execute(update(LoginSession).values(ended_at=NOON))

    assert client.get("/orders").status_code == 303


def test_each_theme_has_a_page_of_its_own(client: FlaskClient, customer: User) -> None:
    pages = []
    for theme in ("light", "dark", "light"):
        client.set_cookie("theme", theme)
        pages.append(client.get("/orders").text)

    assert [re.findall(r'<html[^>]*data-theme="(\w+)"', page) for page in pages] == [["light"], ["dark"], ["light"]]
