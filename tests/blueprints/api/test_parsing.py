"""API parsing: any request gets a documented JSON response, and callers don't slow each other down."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, update

from panel.blueprints.api import parsing
from panel.blueprints.api.actions import ACTIONS
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import ApiKey
from tests.support.api_clients import PATH, Caller, a_caller, a_key, is_answer
from tests.support.factories import LINK, a_customer, a_tool, an_order
from tests.support.repeats import repetitions
from tests.support.statements import traced

REFUSED = {"error": "Incorrect request"}
FORM = "application/x-www-form-urlencoded"


@given(st.lists(st.sampled_from(("%2C", "%", "%25", "2", "2C", "C", ",", "&", "=", "+", "orders"))))
def test_escaped_commas_are_read_as_any_other_escape(parts: list[str]) -> None:
    """They are replaced before the rest is parsed, those in capitals alone."""
    text = "".join(parts)

    assert parsing.form_of(text.encode()) == parsing.form_of(text.replace("%2C", "%2c").encode())


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_in_json(client: FlaskClient, path: str, method: str) -> None:
    key = a_key(a_customer())

    answer = client.open(path, method=method, query_string={"key": key, "action": "balance"})

    assert answer.status_code == 200
    assert answer.headers["X-Error-Code"] == "incorrect_request"
    if method != "HEAD":
        is_answer(answer)
        assert answer.get_json() == REFUSED


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
def test_fields_may_come_as_form_json_parts_or_in_the_address(client: FlaskClient, path: str) -> None:
    fields = {"key": a_key(a_customer("1.50")), "action": "balance"}

    answers = [
        client.post(path, data=fields),
        client.post(path, json=fields),
        client.post(path, data=json.dumps(fields), content_type=FORM),
        client.post(path, data=fields, content_type="multipart/form-data"),
        client.post(path, query_string=fields),
        client.post(path, query_string={"key": fields["key"], "action": "services"}, data={"action": "balance"}),
    ]

    assert [answer.get_json() for answer in answers] == [{"balance": "1.50", "currency": "USD"}] * len(answers)


def test_fields_that_say_nothing_may_be_undefined(client: FlaskClient) -> None:
    customer, tool = a_customer("10"), a_tool()
    caller = a_caller(client, customer)
    nothing = {"request_id": "undefined", "runs": "undefined", "interval": "", "comments": "null"}

    placed = caller.call("add", service=tool.id, link=LINK, quantity=100, **nothing)
    again = caller.call("add", service=tool.id, link=LINK, quantity=100, **nothing)
    status = caller.call("status", order=placed["order"], orders="undefined")

    assert placed["order"] < again["order"]
    assert status["status"] == "Pending"


def test_json_numbers_are_taken_and_nothing_else_that_is_no_text(client: FlaskClient) -> None:
    customer, tool = a_customer("10"), a_tool()
    fields: dict[str, Any] = {"key": a_key(customer), "action": "add", "link": LINK}

    taken = client.post(PATH, json=fields | {"service": tool.id, "quantity": 100, "request_id": None})
    assert list(taken.get_json()) == ["order"]

    for wrong in (100.0, True, [100], {"a": 1}):
        for name in ("quantity", "service", "link", "request_id", "action", "key"):
            answer = client.post(PATH, json={"service": tool.id, "quantity": 100} | fields | {name: wrong})
            is_answer(answer)
            assert answer.get_json() == REFUSED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"key": NaN',
        b'"text"',
        b"{" * 100_000,
        b'{"a":' * 100_000,
        b'{"quantity": ' + b"9" * 5_000 + b"}",
        b"\xff\xfe\x00",
        b'{"key": "\\ud800"}',
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", FORM, "text/plain", "multipart/form-data; boundary=x"])
def test_body_that_cannot_be_read_is_refused(client: FlaskClient, body: bytes, content_type: str) -> None:
    answer = client.post(PATH, data=body, content_type=content_type)

    is_answer(answer)
    assert answer.get_json()["error"] in ("Incorrect request", "Invalid API key")


@pytest.mark.parametrize("content_type", [FORM, "application/json", "multipart/form-data; boundary=x"])
def test_body_of_two_mebibytes_is_refused_in_json(client: FlaskClient, content_type: str) -> None:
    body = b"key=" + b"x" * 2 * 1024 * 1024

    answer = client.post(PATH, data=body, content_type=content_type)

    is_answer(answer)
    assert (answer.status_code, answer.get_json()) == (200, REFUSED)


def test_a_hundred_ids_are_answered_and_one_more_is_not(client: FlaskClient) -> None:
    caller = a_caller(client, a_customer())
    hundred = ",".join(map(str, range(1, 101)))

    for action, name in (
        ("status", "orders"),
        ("refill", "orders"),
        ("refill_status", "refills"),
        ("cancel", "orders"),
    ):
        assert len(caller.call(action, **{name: hundred})) == 100
        assert caller.call(action, **{name: f"{hundred},101"}) == REFUSED
        assert caller.call(action, **{name: "1," * 100_000}) == REFUSED
        assert caller.call(action, **{name: ",,,"}) == REFUSED
        assert caller.call(action) == REFUSED


def test_unknown_actions_are_refused(client: FlaskClient) -> None:
    caller = a_caller(client, a_customer())

    assert [caller.call(word) for word in ("", "Status", "drop", "undefined")] == [REFUSED] * 4


def test_key_that_is_none_is_refused_before_anything_else(client: FlaskClient) -> None:
    customer = a_customer()
    key, revoked = a_key(customer), a_key(customer)
    with transaction():
        db.session.execute(update(ApiKey).where(ApiKey.id == 2).values(revoked_at=utc_now()))

    for wrong in ("", "x", key[:-1], f"{key}x", key.upper(), revoked, "\x01", "é" * 100_000):
        answer = Caller(client, wrong).call("no such action")
        assert answer == {"error": "Invalid API key"}


def test_key_bound_to_networks_works_only_from_there(client: FlaskClient) -> None:
    key = a_key(a_customer(), networks="203.0.113.0/24 2001:db8::/48")

    def from_address(address: str) -> str:
        data = {"key": key, "action": "balance"}
        return client.post(PATH, data=data, environ_base={"REMOTE_ADDR": address}).get_json().get("error", "")

    assert [from_address(good) for good in ("203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9")] == [""] * 3
    assert {from_address(bad) for bad in ("203.0.114.9", "2001:db9::1", "", "nonsense")} == {"Invalid API key"}


def test_no_cookie_no_token_and_no_origin_is_asked_for(client: FlaskClient, csrf: None) -> None:
    data = {"key": a_key(a_customer()), "action": "balance"}

    answer = client.post(PATH, data=data, headers={"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"})

    is_answer(answer)
    assert answer.get_json()["currency"] == "USD"


def test_last_use_is_written_once_a_minute(client: FlaskClient) -> None:
    caller = a_caller(client, a_customer())
    writes: list[str] = []
    event.listen(
        db.engine,
        "before_cursor_execute",
        lambda *given: given[2].startswith("UPDATE") and writes.append(given[2]),  # type: ignore[func-returns-value]
    )

    for _ in range(3):
        caller.call("balance")
    assert len(writes) == 1

    with transaction():
        db.session.execute(update(ApiKey).values(used_at=utc_now() - timedelta(seconds=61)))
    writes.clear()
    caller.call("status", orders="1,2")
    caller.call("status", orders="1,2")
    assert len(writes) == 1


def test_too_many_calls_of_one_key_leave_others_alone(app: Flask, client: FlaskClient) -> None:
    app.config["PANEL"].api_requests_a_minute = 4
    busy, calm = a_caller(client, customer := a_customer()), a_caller(client, a_customer())
    calls = [("balance", {}), ("status", {"orders": "1"}), ("status", {"orders": "1"}), ("services", {})]

    statuses = [busy.post(action, **fields).status_code for action, fields in calls]
    refused = [busy.post(action, **fields) for action, fields in calls]

    assert statuses == [200] * 4
    for answer in refused:
        is_answer(answer)
        assert (answer.status_code, answer.get_json()) == (429, {"error": "Too many requests"})
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert calm.post("balance").status_code == 200
    assert a_caller(client, customer).post("balance").status_code == 200


def test_every_answer_to_a_valid_key_counts_the_calls_down(app: Flask, client: FlaskClient) -> None:
    app.config["PANEL"].api_requests_a_minute = 4
    caller = a_caller(client, a_customer())
    calls = [("balance", {}), ("balance", {}), ("status", {"orders": "1"}), ("add", {}), ("services", {})]

    answers = [caller.post(action, **fields) for action, fields in calls]

    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["3", "2", "1", "0", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"4"}
    ends = {int(answer.headers["X-RateLimit-Reset"]) for answer in answers}
    assert len(ends) == 1 and 0 <= ends.pop() - utc_now().timestamp() <= 61


def test_many_wrong_keys_are_slowed_and_right_ones_from_there_are_not(client: FlaskClient) -> None:
    wrong = [Caller(client, "wrong").post("balance").status_code for _ in range(61)]

    assert (wrong[:60], wrong[60]) == ([200] * 60, 429)
    assert a_caller(client, a_customer()).post("balance").status_code == 200


def test_statuses_of_a_hundred_orders_are_one_read_behind_that_of_the_key(app: Flask, client: FlaskClient) -> None:
    caller = a_caller(client, a_customer())
    caller.call("balance")
    with traced(app) as statements:
        client.post(PATH, json={"key": caller.key, "action": "status", "orders": ",".join(map(str, range(100)))})

    assert len(statements.texts) == 2


words = st.one_of(
    st.sampled_from([*ACTIONS, "1", "0", "-1", "undefined", "null", "", LINK, "1,2,3", "100", "1e5", "é", "\x00"]),
    st.text(max_size=20),
)
values = st.one_of(words, st.integers(), st.floats(), st.booleans(), st.none(), st.lists(words, max_size=2))
names = st.sampled_from(["service", "link", "quantity", "request_id", "order", "orders", "refill", "refills"])


@pytest.fixture
def spender(app: Flask, client: FlaskClient) -> Caller:
    """A caller with money, a tool, orders in every status, and no rate limit."""
    app.config["PANEL"].api_requests_a_minute = 10**9
    customer, tool = a_customer("100000"), a_tool()
    for status in Status:
        an_order(customer=customer, tool=tool, status=status, quantity=100)
    return a_caller(client, customer)


actions = st.sampled_from(list(ACTIONS)) | words
kinds = st.sampled_from([FORM, "application/json", "", "multipart/form-data"])
texts = st.fixed_dictionaries(
    dict.fromkeys(("service", "link", "quantity", "orders", "order", "refill", "refills", "request_id"), words)
)


@settings(max_examples=repetitions(150, long=3_000))
@given(fields=st.dictionaries(names, values, max_size=8), action=actions, is_form=st.booleans())
def test_any_call_is_answered(spender: Caller, fields: dict[str, Any], action: str, is_form: bool) -> None:
    fields |= {"key": spender.key, "action": action}
    form = {name: str(value) for name, value in fields.items()}

    answer = spender.client.post(PATH, data=form) if is_form else spender.client.post(PATH, json=fields)

    is_answer(answer)


@settings(max_examples=repetitions(100, long=3_000))
@given(body=st.binary(max_size=200), kind=kinds)
def test_any_bytes_are_answered(spender: Caller, body: bytes, kind: str) -> None:
    is_answer(spender.client.post(PATH, data=body, content_type=kind))


@pytest.mark.both_engines
@settings(max_examples=repetitions(50, long=500))
@given(action=st.sampled_from(list(ACTIONS)), fields=texts)
def test_no_text_breaks_an_action(spender: Caller, action: str, fields: dict[str, str]) -> None:
    is_answer(spender.post(action, **fields))
