"""History rendered again without Flask: after a change it is what Flask would render, and for nobody else."""

import re
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from panel import security
from panel.blueprints.orders import history_cache, history_region
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.middleware.order_history_cache import OrderHistoryCache
from panel.middleware.session_lookup import SessionLookup
from panel.models import LoginSession, Order, User
from panel.services import customer_version, maintenance
from panel.services.money import ledger
from panel.services.orders import transitions
from tests.support.factories import NOON, a_customer, a_tool, an_order, logged_in

pytestmark = pytest.mark.both_engines

PATHS = ("/orders", "/orders/live", "/orders?status=pending", "/orders/live?status=pending", "/orders?q=example")


class HistorySite:
    """Flask behind the cache of the history alone; knows the requests that reached Flask."""

    def __init__(self, app: Flask) -> None:
        self.to_flask: list[str] = []
        self._cache = OrderHistoryCache(partial(self._flask, app), SessionLookup(app))
        app.wsgi_app = security.with_headers(self._cache, app.config["PANEL"])  # type: ignore[method-assign]

    def _flask(self, app: Flask, environ: Any, start_response: Any) -> Any:
        self.to_flask.append(environ["PATH_INFO"])
        return Flask.wsgi_app(app, environ, start_response)

    def forget(self) -> None:
        """So that Flask renders all that is asked for next, from the database."""
        self._cache.entries.clear()
        self._cache._rendered.clear()
        for cache in vars(history_cache.of_app()).values():
            cache.clear()


@pytest.fixture
def site(app: Flask) -> HistorySite:
    return HistorySite(app)


@pytest.fixture
def customer(client: FlaskClient, site: HistorySite) -> User:
    customer = a_customer("100")
    tool = a_tool()
    for status in (Status.PENDING, Status.PENDING, Status.COMPLETED):
        an_order(customer=customer, tool=tool, status=status)
    logged_in(client, customer)
    # The first response sets the cookie with the form token's secret.
    for path in ("/orders", *PATHS):
        assert client.get(path).status_code == 200
    site.to_flask.clear()
    return customer


def move(order_id: int, to: Status = Status.PROCESSING, remains: int = 1_000) -> None:
    with transaction():
        transitions.move_order(transitions.lock_order(order_id), to, remains=remains, now=NOON)


def orders_of(customer: User) -> list[int]:
    return list(db.session.scalars(select(Order.id).where(Order.customer_id == customer.id).order_by(Order.id)))


def comparable(answer: TestResponse) -> tuple[object, ...]:
    """Status, headers and text without what each response has of its own: id, length, and the time."""
    headers = [pair for pair in answer.headers if pair[0] not in ("X-Request-ID", "Content-Length")]
    return answer.status_code, headers, re.sub(r"\d\d:\d\d(:\d\d)?( UTC|Z)|<time [^>]+>", "", answer.text)


def assert_as_flask_renders(client: FlaskClient, site: HistorySite) -> None:
    """Each response, made without Flask, is what Flask renders of the same state."""
    before = len(site.to_flask)
    found = {path: comparable(client.get(path)) for path in PATHS}
    assert len(site.to_flask) == before
    site.forget()
    rendered = {path: comparable(client.get(path)) for path in PATHS}
    assert len(site.to_flask) == before + len(PATHS)
    assert found == rendered


def test_change_of_orders_is_rendered_without_flask_as_flask_renders_it(
    client: FlaskClient, site: HistorySite, customer: User
) -> None:
    moved, *_others = orders_of(customer)

    move(moved)

    assert f'<tr id="order-{moved}" data-status="processing"' in client.get("/orders").text
    assert site.to_flask == []
    assert_as_flask_renders(client, site)


def test_new_balance_is_rendered_without_flask_as_flask_renders_it(
    client: FlaskClient, site: HistorySite, customer: User
) -> None:
    with transaction():
        ledger.deposit(customer.id, amount_nanos=5_000_000_000, reason="deposit:2", note="More.", now=NOON)
        customer_version.bump([customer.id])

    assert f'data-nanos="{ledger.balance_nanos(customer.id)}"' in client.get("/orders").text
    assert_as_flask_renders(client, site)


@pytest.mark.parametrize("to", [Status.PROCESSING, Status.CANCELED])
def test_every_change_gives_the_page_that_flask_renders(
    client: FlaskClient, site: HistorySite, customer: User, to: Status
) -> None:
    """Also the last change, after which nothing in the list can change, so that the page says so."""
    for order_id in orders_of(customer)[:2]:
        move(order_id, to)
        found = {path: comparable(client.get(path)) for path in PATHS}
        site.forget()
        assert found == {path: comparable(client.get(path)) for path in PATHS}


def test_page_after_a_new_order_comes_from_flask_with_its_tool_in_the_filters(
    client: FlaskClient, site: HistorySite, customer: User
) -> None:
    an_order(customer=customer, tool=a_tool("another-tool"))

    page = client.get("/orders").text

    assert site.to_flask == ["/orders"]
    assert '<option value="another-tool"' in page


def test_page_of_a_person_who_changed_comes_from_flask(client: FlaskClient, site: HistorySite, customer: User) -> None:
    with transaction():
        db.session.execute(update(User).where(User.id == customer.id).values(email="new@example.com"))
        customer_version.bump([customer.id])

    page = client.get("/orders").text

    assert site.to_flask == ["/orders"]
    assert "new@example.com" in page
    assert customer.email not in page or customer.email == "new@example.com"


def test_nothing_is_rendered_for_an_ended_session(client: FlaskClient, site: HistorySite, customer: User) -> None:
    with transaction():
        db.session.execute(update(LoginSession).values(ended_at=NOON))
        customer_version.bump([customer.id])

    assert [client.get(path).status_code for path in ("/orders", "/orders/live")] == [303, 401]


def test_each_customer_gets_their_own_page_and_region_after_a_change(
    app: Flask, client: FlaskClient, site: HistorySite, customer: User
) -> None:
    other = a_customer("7")
    theirs = an_order(customer=other, link="https://example.com/theirs")
    their_client = logged_in(app.test_client(), other)
    for each in (client, their_client):
        for path in ("/orders", *PATHS):
            each.get(path)
    mine = orders_of(customer)
    site.to_flask.clear()
    for order_id in (mine[0], theirs.id):
        move(order_id)

    for path in PATHS[:2]:
        pages = [each.get(path).text for each in (client, their_client)]

        assert [f'id="order-{mine[0]}"' in page for page in pages] == [True, False]
        assert [f'id="order-{theirs.id}"' in page for page in pages] == [False, True]
    assert site.to_flask == []


def test_page_rendered_while_ordering_is_closed_is_not_rendered_again_without_flask(
    client: FlaskClient, site: HistorySite, customer: User
) -> None:
    with transaction():
        maintenance.close(
            reason="Larger disk.", ends_at=utc_now() + timedelta(hours=1), actor="operator", now=utc_now()
        )
    assert "Larger disk." in client.get("/orders").text
    site.to_flask.clear()

    move(orders_of(customer)[0])

    client.get("/orders")
    assert site.to_flask == ["/orders"]


def test_database_that_cannot_be_read_is_reported_by_flask(
    client: FlaskClient, site: HistorySite, customer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise OperationalError("SELECT", None, Exception("database is locked"))

    move(orders_of(customer)[0])
    monkeypatch.setattr(history_region, "region", fail)

    assert client.get("/orders").status_code == 503
    assert site.to_flask == ["/orders"]


def test_response_that_sets_a_cookie_is_not_rendered_again(app: Flask, site: HistorySite) -> None:
    """The first page of a session makes the secret of its form tokens."""
    customer = a_customer("100")
    order = an_order(customer=customer)
    client = logged_in(app.test_client(), customer)
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert "Set-Cookie" in client.get("/orders").headers
    client.set_cookie("session", cookie.value)
    site.to_flask.clear()

    move(order.id)

    assert "Set-Cookie" in client.get("/orders").headers
    assert site.to_flask == ["/orders"]
