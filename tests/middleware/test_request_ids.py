"""Request ids: every response has its own `X-Request-ID`, from Flask, a cache, a 304, an asset or an error."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.models import User
from tests.middleware.test_live_poll_304 import tag_for
from tests.support.api_clients import a_caller
from tests.support.factories import a_customer, a_tool, an_order, logged_in


def id_of(client: FlaskClient, path: str, headers: dict[str, str], status: int) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == status
    (found,) = answer.headers.getlist("X-Request-ID")
    return found


@pytest.fixture
def customer() -> User:
    customer = a_customer("100")
    an_order(customer=customer, tool=a_tool())
    return customer


def test_cached_pages_and_304s_have_request_ids_of_their_own(app: Flask, client: FlaskClient, customer: User) -> None:
    visitor = app.test_client()
    logged_in(client, customer)
    tag, etag = tag_for(client), visitor.get("/faq").headers["ETag"]
    asked = [
        (visitor, "/faq", {}, 200),
        (visitor, "/faq", {"If-None-Match": etag}, 304),
        (client, "/orders", {}, 200),
        (client, "/orders/live", {"HX-PTag": tag}, 304),
        (visitor, "/no-such-page", {}, 404),
    ]

    ids = [id_of(*each) for each in asked * 3]

    assert len(set(ids)) == len(ids)
    assert all(len(each) == 16 for each in ids)


def test_cached_api_answers_have_request_ids_of_their_own(client: FlaskClient, customer: User) -> None:
    caller = a_caller(client, customer)
    caller.call("balance")

    answers = [caller.post("status", orders="1,2") for _ in range(4)]

    assert len({answer.headers["X-Request-ID"] for answer in answers}) == 4


def test_a_request_id_from_outside_is_not_taken(client: FlaskClient) -> None:
    answer = client.get("/faq", headers={"X-Request-ID": "chosen"})

    assert answer.headers["X-Request-ID"] != "chosen"
