"""Dispatch to a hostile provider: at most one `add` per order, and no customer loses money."""

import html
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import dispatch
from panel.jobs import timeouts as deadline_sweep
from panel.models import Attempt, User
from panel.services.money import ledger
from panel.services.orders.dispatch import FIRST_WAIT_SECONDS, UNCONFIRMED
from panel.services.providers import health as provider_health
from panel.settings import Settings
from tests.support.factories import a_tool, logged_in, reload
from tests.support.hostile_provider import (
    Answer,
    HostileProvider,
    drop,
    hang,
    hostile_provider,
    http_response,
    provider_at,
)
from tests.support.upstream import (
    BALANCE_NANOS,
    a_placed_order,
    assert_ledgers_match,
    attempts,
    dispatch_round,
    open_reviews,
    upstream,
)

pytestmark = pytest.mark.both_engines

UNCLEAR: dict[str, object] = {
    "times out": hang,
    "drops the line": drop,
    "500": http_response(b"", status="500 Internal Server Error"),
    "HTML": http_response(b"<html>Thank you</html>"),
    "empty body": http_response(b""),
    "cut JSON": http_response(b'{"order": 23'),
    "unknown error": http_response({"error": "Something is wrong"}),
    "error and id": http_response({"error": "Bad link", "order": 5}),
    "wrong length": http_response({"order": 23}, length=99),
    "id 0": http_response({"order": 0}),
    "id null": http_response({"order": None}),
    "id abc": http_response({"order": "abc"}),
    "id true": http_response({"order": True}),
    "id below 0": http_response({"order": -4}),
    "id of a fraction": http_response(b'{"order": 12.5}'),
    "list": http_response([{"order": 23}]),
}


def test_before_each_order_its_own_provider_alone_is_asked_about(server: HostileProvider) -> None:
    for _ in range(3):
        a_placed_order()
    asked: list[str] = []

    def note(*call: object) -> None:
        statement = " ".join(str(call[2]).split())
        if statement.startswith("SELECT providers.id FROM providers WHERE (EXISTS"):
            asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        dispatch_round()
    finally:
        event.remove(db.engine, "before_cursor_execute", note)

    assert server.count("add") == 3
    assert len(asked) == 1, asked


@pytest.mark.parametrize("how", UNCLEAR)
def test_an_unclear_answer_is_never_followed_by_a_second_call(server: HostileProvider, how: str) -> None:
    answer = UNCLEAR[how]
    server.answers["add"] = answer(server) if answer is hang else answer  # type: ignore[assignment,operator]
    order = a_placed_order()

    for _ in range(3):
        dispatch_round()

    assert server.count("add") == 1
    assert attempts(order) == ["unknown"]
    assert reload(order).status == Status.PENDING
    assert order.unconfirmed_at is not None
    assert len(open_reviews("unconfirmed")) == 1
    assert_ledgers_match()


def test_the_id_of_another_order_proves_nothing(server: HostileProvider) -> None:
    server.answers["add"] = http_response({"order": 55})
    first = a_placed_order()
    dispatch_round()
    second = a_placed_order()

    for _ in range(3):
        dispatch_round()

    assert server.count("add") == 2
    assert (attempts(first), attempts(second)) == (["sent"], ["unknown"])
    assert reload(second).provider_order_id is None


def test_an_order_that_stays_unconfirmed_is_canceled_with_all_money_back_once(
    app: Flask, server: HostileProvider
) -> None:
    settings: Settings = app.config["PANEL"]
    app.config["PANEL"] = settings.model_copy(update={"unconfirmed_hours": 0.0001})
    server.answers["add"] = http_response(b"")
    order = a_placed_order()
    dispatch_round()
    early = reload(order).status
    with transaction():
        db.session.execute(update(Attempt).values(at=utc_now() - timedelta(seconds=1)))

    for _ in range(3):
        deadline_sweep.sweep(worker="test")
        dispatch_round()

    assert (early, reload(order).status) == (Status.PENDING, Status.CANCELED)
    assert order.returned_nanos == order.charge_nanos
    assert ledger.balance_nanos(order.customer_id) == BALANCE_NANOS
    assert (server.count("add"), attempts(order), open_reviews("unconfirmed")) == (1, ["settled"], [])
    assert_ledgers_match()


def test_the_order_page_says_that_the_provider_has_not_confirmed(app: Flask, server: HostileProvider) -> None:
    server.answers["add"] = http_response(b"")
    order = a_placed_order()
    dispatch_round()

    page = logged_in(app.test_client(), db.session.get_one(User, order.customer_id)).get(f"/orders/{order.id}")

    assert page.status_code == 200
    assert UNCONFIRMED in html.unescape(page.text)


def test_a_refused_connection_is_tried_later_and_sent_once(app: Flask) -> None:
    with hostile_provider() as gone:
        port = gone.port
        provider_at(gone.url, settings=app.config["PANEL"])
    order = a_placed_order()
    dispatch_round()
    dispatch_round()
    with hostile_provider(port) as server:
        server.takes_orders()

        dispatch_round()
        dispatch_round()

        assert attempts(order) == ["not_sent", "not_sent", "sent"]
        assert server.count("add") == 1


def test_each_refused_connection_doubles_the_wait(app: Flask) -> None:
    with hostile_provider() as gone:
        provider_at(gone.url, settings=app.config["PANEL"])
    order = a_placed_order()

    waits = []
    for _ in range(3):
        dispatch_round()
        due_at = reload(order).dispatch_at
        assert due_at is not None
        waits.append((due_at - utc_now()).total_seconds())

    assert [round(wait / FIRST_WAIT_SECONDS) for wait in waits] == [1, 2, 4]


def test_one_order_alone_is_risked_on_a_provider_that_just_failed(server: HostileProvider) -> None:
    server.answers["add"] = http_response(b"")
    tool = a_tool(provider=upstream(), provider_service="7")
    orders = [a_placed_order(tool=tool)]
    dispatch_round()
    orders += [a_placed_order(tool=tool) for _ in range(5)]

    dispatch_round()

    assert server.count("add") == 2
    assert [state for order in orders for state in attempts(order)] == ["unknown"] * 2


def test_orders_wait_while_the_provider_has_no_funds_and_go_when_it_is_resumed(server: HostileProvider) -> None:
    server.answers["add"] = http_response({"error": "Not enough funds on balance"})
    tool = a_tool(provider=upstream(), provider_service="7")
    orders = [a_placed_order(tool=tool) for _ in range(3)]
    dispatch_round()
    dispatch_round()
    paused = upstream().paused_at
    asked = server.count("add")
    server.takes_orders()

    with transaction():
        provider_health.resume(upstream().id, now=utc_now())
    dispatch_round()

    assert paused is not None
    assert 1 <= asked <= 3
    assert [attempts(order)[-1] for order in orders] == ["sent"] * 3
    assert server.count("add") == 3 + asked
    assert {reload(order).status for order in orders} == {Status.PENDING}
    assert_ledgers_match()


@pytest.mark.parametrize(
    "answer",
    [
        http_response({"error": "Too many requests"}, status="429 Too Many Requests"),
        http_response({"error": "Too many requests"}),
    ],
    ids=["429", "words"],
)
def test_a_rate_limit_makes_orders_wait(server: HostileProvider, answer: Answer) -> None:
    server.answers["add"] = answer
    order = a_placed_order()

    dispatch.sweep(worker="test", wait=True)
    dispatch.sweep(worker="test", wait=True)

    assert server.count("add") == 1
    assert attempts(order) == ["refused"]
    assert reload(order).status == Status.PENDING
    assert upstream().call_after is not None


@pytest.mark.parametrize(
    "text",
    ["Incorrect service ID", "Bad link", "Quantity less than minimal 50", "Quantity more than maximum 10", "bad link."],
)
def test_a_final_refusal_cancels_with_its_reason_and_all_money_back(server: HostileProvider, text: str) -> None:
    server.answers["add"] = http_response({"error": text})
    order = a_placed_order()

    dispatch_round()

    assert reload(order).status == Status.CANCELED
    assert text.rstrip(".") in order.reason
    assert ledger.balance_nanos(order.customer_id) == BALANCE_NANOS
    assert_ledgers_match()


def test_two_workers_at_once_hand_each_order_over_once(app: Flask, server: HostileProvider) -> None:
    server.takes_orders()
    tool = a_tool(provider=upstream(), provider_service="7")
    orders = [a_placed_order(tool=tool) for _ in range(12)]
    provider_id = upstream().id
    db.session.rollback()

    def work(_number: int) -> None:
        with app.app_context():
            dispatch.serve(provider_id)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))

    assert server.count("add") == 12
    assert [attempts(order) for order in orders] == [["sent"]] * 12
