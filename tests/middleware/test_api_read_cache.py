"""API read cache: same responses as Flask's, never stale, and only for the key's owner."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.middleware.api_read_cache import ApiReadCache
from panel.models import ApiKey, Catalogue, Tool, User
from panel.services.api import orders as api_orders
from panel.services.api.orders import status_texts
from panel.services.money import ledger
from panel.services.orders import transitions
from panel.services.orders.transitions import Move
from tests.support.api_clients import PATH, Caller, a_caller
from tests.support.factories import a_customer, a_tool, an_order

BY_FLASK = "X-SerializerCounter-By-Flask"
INVALID_KEY = {"error": "Invalid API key"}
INCORRECT_ORDER = {"error": "Incorrect order ID"}


class SerializerCounter:
    """Counts how often responses were built from rows."""

    def __init__(self) -> None:
        self.count = 0

    def status_texts(self, rows: Iterable[Sequence[Any]], *, currency: str) -> dict[int, str]:
        self.count += 1
        return status_texts(rows, currency=currency)


@pytest.fixture(autouse=True)
def _marked(app: Flask) -> None:
    """Make Flask mark its own responses, to distinguish them from cached ones."""

    @app.after_request
    def mark(response: Response) -> Response:
        response.headers[BY_FLASK] = "yes"
        return response


@pytest.fixture
def made(app: Flask, monkeypatch: pytest.MonkeyPatch) -> SerializerCounter:
    """The app with one more quick way around it, with room for three calls of one order, and what it makes counted."""
    app.wsgi_app = ApiReadCache(app.wsgi_app, app, max_bytes=1_900)  # type: ignore[method-assign]
    counted = SerializerCounter()
    monkeypatch.setattr(api_orders, "status_texts", counted.status_texts)
    return counted


def a_known_caller(client: FlaskClient, **known: Any) -> Caller:
    """A caller whose last use has just been recorded."""
    caller = a_caller(client, known.get("customer") or a_customer())
    caller.call("balance")
    return caller


def is_quick(answer: TestResponse) -> bool:
    return answer.status_code == 200 and BY_FLASK not in answer.headers


def whole_way(caller: Caller, action: str = "status", **fields: object) -> TestResponse:
    return caller.client.post(PATH, json={"key": caller.key, "action": action} | fields)


@pytest.mark.both_engines
def test_statuses_are_the_same_whichever_way_they_are_answered(client: FlaskClient) -> None:
    customer, tool = a_customer("1000"), a_tool()
    ids = [an_order(customer=customer, tool=tool).id for _ in range(5)]
    caller = a_known_caller(client, customer=customer)

    for fields in ({"orders": ",".join(map(str, ids))}, {"order": ids[0]}, {"orders": f"{ids[0]},999"}):
        quick, whole = caller.post("status", **fields), whole_way(caller, **fields)
        assert quick.data == whole.data
        assert (is_quick(quick), is_quick(whole)) == (True, False)


@pytest.mark.both_engines
def test_answer_is_kept_until_something_in_it_has_changed(client: FlaskClient, made: SerializerCounter) -> None:
    customer, tool = a_customer("1000"), a_tool()
    order = an_order(customer=customer, tool=tool, status=Status.PENDING)
    caller = a_known_caller(client, customer=customer)
    fields = {"orders": f"{order.id},{order.id + 1}"}
    bodies: list[bytes] = []

    def is_serialized_once() -> None:
        before = made.count
        answers = [caller.post("status", **fields) for _ in range(3)]
        assert made.count == before + 1
        bodies.append(whole_way(caller, **fields).data)
        assert [answer.data for answer in answers] == [bodies[-1]] * 3
        assert all(map(is_quick, answers))

    is_serialized_once()
    for to, remains, start_count in (
        (Status.IN_PROGRESS, 100, None),
        (Status.IN_PROGRESS, 100, 7),
        (Status.IN_PROGRESS, 60, 7),
        (Status.PARTIAL, 40, 7),
    ):
        with transaction():
            claimed = transitions.lock_order(order.id)
            transitions.apply_moves([Move(claimed, to, remains, start_count=start_count)], now=utc_now())
        is_serialized_once()
    assert an_order(customer=customer, tool=tool).id == order.id + 1
    is_serialized_once()
    assert len(set(bodies)) == len(bodies)


@pytest.mark.both_engines
def test_balance_and_services_are_quick_and_never_old(client: FlaskClient) -> None:
    customer, tool = a_customer("12.50"), a_tool()
    caller, other = a_known_caller(client, customer=customer), a_known_caller(client, customer=a_customer("1"))
    name, seen = tool.name, []
    for change in (
        lambda: None,
        lambda: ledger.deposit(customer.id, amount_nanos=5_000_000_000, reason="test", note="More.", now=utc_now()),
        lambda: db.session.execute(update(Tool).values(name="Renamed")),
    ):
        with transaction():
            change()
            db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))
        for action in ("balance", "services"):
            quick = [caller.post(action) for _ in range(2)]
            assert all(map(is_quick, quick))
            assert {answer.data for answer in quick} == {whole_way(caller, action).data}
            seen.append(quick[0].json)

    balances, names = seen[::2], [services[0]["name"] for services in seen[1::2]]
    assert [each["balance"] for each in balances] == ["12.50", "17.50", "17.50"]
    assert names == [name, name, "Renamed"]
    assert other.call("balance")["balance"] == "1.00"


def test_kept_answer_is_given_to_nobody_else(client: FlaskClient, made: SerializerCounter) -> None:
    customer = a_customer()
    order = an_order(customer=customer, tool=a_tool(), status=Status.PENDING)
    caller, stranger = a_known_caller(client, customer=customer), a_known_caller(client)
    assert is_quick(caller.post("status", order=order.id))

    assert stranger.call("status", order=order.id) == INCORRECT_ORDER
    assert stranger.call("status", orders=order.id) == {str(order.id): INCORRECT_ORDER}
    with transaction():
        db.session.execute(update(ApiKey).values(networks="192.0.2.0/24"))
    assert caller.call("status", order=order.id) == INVALID_KEY


def test_kept_answer_ends_with_the_key(client: FlaskClient, made: SerializerCounter) -> None:
    caller = a_known_caller(client)
    assert is_quick(caller.post("status", orders="1,2"))

    with transaction():
        db.session.execute(update(ApiKey).values(revoked_at=utc_now()))

    assert caller.call("status", orders="1,2") == INVALID_KEY


@pytest.mark.parametrize("column", ["disabled_at", "closed_at"])
def test_kept_answer_ends_with_the_account(client: FlaskClient, made: SerializerCounter, column: str) -> None:
    caller = a_known_caller(client)
    assert is_quick(caller.post("status", orders="1,2"))

    with transaction():
        db.session.execute(update(User).values({column: utc_now()}))

    assert caller.call("status", orders="1,2") == INVALID_KEY


def test_kept_answers_count_as_calls(app: Flask, client: FlaskClient, made: SerializerCounter) -> None:
    caller = a_known_caller(client)

    most = app.config["PANEL"].api_requests_a_minute = 4
    # Twice as many, because the minute may end in between.
    statuses = [caller.post("status", orders="5").status_code for _ in range(2 * most + 1)]

    assert statuses[0] == 200
    assert 429 in statuses


def test_cache_is_bounded_and_holds_nothing_for_unknown_keys(client: FlaskClient, made: SerializerCounter) -> None:
    caller = a_known_caller(client)

    def ask(*numbers: int) -> int:
        """How many of these were not served from the cache."""
        before = made.count
        for number in numbers:
            assert is_quick(caller.post("status", orders=number))
        return made.count - before

    assert ask(1, 2, 3) == 3
    for number in range(10):
        assert Caller(client, "smm_unknown").call("status", orders=number) == INVALID_KEY
    assert ask(1, 2, 3) == 0
    assert ask(4, 1, 2, 3) == 4
