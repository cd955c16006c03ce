"""Handing orders over to a hostile provider: one `add` reaches it, ever, and no customer loses money by it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.errors import PanelError, Refused
from panel.domain.status import Status
from panel.jobs import deadlines as deadline_sweep
from panel.jobs import dispatch
from panel.models import Attempt, AuditLine, Cancellation, Order, Provider, Review, User
from panel.services import audit, cancellations, deadlines, ledger, provider_health, settling
from panel.services.dispatching import UNCONFIRMED
from panel.services.settling import Decision, Resolution
from panel.settings import Settings
from tests.factories import a_customer, a_tool, again, an_order, signed_in
from tests.hostile import Answer, Hostile, drop, hang, hostile_provider, provider_at, said

pytestmark = pytest.mark.both_engines

BALANCE_NANOS = 1_000 * 10**9


@pytest.fixture
def server(app: Flask) -> Iterator[Hostile]:
    app.config["PANEL"] = app.config["PANEL"].model_copy(update={"provider_timeout_seconds": 1.0})
    with hostile_provider() as server:
        provider_at(server.url, settings=app.config["PANEL"])
        yield server


def upstream() -> Provider:
    db.session.rollback()
    return db.session.scalars(select(Provider).where(Provider.kind == "panel_api")).one()


def a_placed_order(**more: object) -> Order:
    tool = more.pop("tool", None) or a_tool(provider=upstream(), provider_service="7")
    return an_order(customer=a_customer("1000"), tool=tool, now=utc_now(), **more)  # type: ignore[arg-type]


def swept() -> None:
    """One round of the worker, with every wait that our own back-off asks for taken as over."""
    with transaction():
        db.session.execute(update(Provider).values(call_after=None))
        db.session.execute(update(Order).where(Order.dispatch_at.is_not(None)).values(dispatch_at=utc_now()))
    dispatch.sweep(worker="test", wait=True)


def attempts(order: Order) -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Attempt.state).where(Attempt.order_id == order.id).order_by(Attempt.id)))


def open_reviews(kind: str) -> list[Review]:
    db.session.rollback()
    return list(db.session.scalars(select(Review).where(Review.kind == kind, Review.resolved_at.is_(None))))


def assert_books_are_right() -> None:
    db.session.rollback()
    assert audit.audit().differences == ()


UNCLEAR: dict[str, object] = {
    "times out": hang,
    "drops the line": drop,
    "500": said(b"", status="500 Internal Server Error"),
    "HTML": said(b"<html>Thank you</html>"),
    "empty body": said(b""),
    "cut JSON": said(b'{"order": 23'),
    "unknown error": said({"error": "Something is wrong"}),
    "error and id": said({"error": "Bad link", "order": 5}),
    "wrong length": said({"order": 23}, length=99),
    "id 0": said({"order": 0}),
    "id null": said({"order": None}),
    "id abc": said({"order": "abc"}),
    "id true": said({"order": True}),
    "id below 0": said({"order": -4}),
    "id of a fraction": said(b'{"order": 12.5}'),
    "list": said([{"order": 23}]),
}


@pytest.mark.parametrize("how", UNCLEAR)
def test_an_unclear_answer_is_never_followed_by_a_second_call(server: Hostile, how: str) -> None:
    answer = UNCLEAR[how]
    server.answers["add"] = answer(server) if answer is hang else answer  # type: ignore[assignment,operator]
    order = a_placed_order()

    for _ in range(3):
        swept()

    assert server.count("add") == 1
    assert attempts(order) == ["unknown"]
    assert again(order).status == Status.PENDING
    assert order.unconfirmed_at is not None
    assert len(open_reviews("unconfirmed")) == 1
    assert_books_are_right()


def test_the_id_of_another_order_proves_nothing(server: Hostile) -> None:
    server.answers["add"] = said({"order": 55})
    first = a_placed_order()
    swept()
    second = a_placed_order()

    for _ in range(3):
        swept()

    assert server.count("add") == 2
    assert (attempts(first), attempts(second)) == (["sent"], ["unknown"])
    assert again(second).provider_order_id is None


def test_an_order_that_stays_unconfirmed_is_canceled_with_all_money_back_once(app: Flask, server: Hostile) -> None:
    settings: Settings = app.config["PANEL"]
    app.config["PANEL"] = settings.model_copy(update={"unconfirmed_hours": 0.0001})
    server.answers["add"] = said(b"")
    order = a_placed_order()
    swept()
    early = again(order).status
    with transaction():
        db.session.execute(update(Attempt).values(at=utc_now() - timedelta(seconds=1)))

    for _ in range(3):
        deadline_sweep.sweep(worker="test")
        swept()

    assert (early, again(order).status) == (Status.PENDING, Status.CANCELED)
    assert order.returned_nanos == order.charge_nanos
    assert ledger.balance_nanos(order.customer_id) == BALANCE_NANOS
    assert (server.count("add"), attempts(order), open_reviews("unconfirmed")) == (1, ["settled"], [])
    assert_books_are_right()


def test_the_order_page_says_that_the_provider_has_not_confirmed(app: Flask, server: Hostile) -> None:
    server.answers["add"] = said(b"")
    order = a_placed_order()
    swept()

    page = signed_in(app.test_client(), db.session.get_one(User, order.customer_id)).get(f"/orders/{order.id}")

    assert page.status_code == 200
    assert UNCONFIRMED in page.text


def unconfirmed(server: Hostile) -> tuple[Order, int]:
    server.answers["add"] = said(b"")
    order = a_placed_order()
    swept()
    return again(order), open_reviews("unconfirmed")[0].id


def resolved(review_id: int, decision: Decision, provider_id: str = "") -> None:
    resolution = Resolution(decision, "Looked at their pages.", actor="anna", provider_id=provider_id)
    with transaction():
        settling.resolve(review_id, resolution, now=utc_now())


def test_an_operator_may_say_under_which_id_it_was_sent(server: Hostile) -> None:
    order, review_id = unconfirmed(server)

    resolved(review_id, Decision.SENT_AS, "0815")

    assert attempts(order) == ["sent"]
    assert (again(order).provider_order_id, order.unconfirmed_at, order.sync_at is not None) == ("815", None, True)
    assert server.count("add") == 1
    assert db.session.scalars(select(AuditLine.act)).all() == ["reviews resolve"]


@pytest.mark.parametrize("given", ["", "abc", "-1", "0", "1.5", "٣"])
def test_an_id_that_is_none_is_refused(server: Hostile, given: str) -> None:
    order, review_id = unconfirmed(server)

    with pytest.raises(PanelError):
        resolved(review_id, Decision.SENT_AS, given)

    assert attempts(order) == ["unknown"]
    assert len(open_reviews("unconfirmed")) == 1


def test_an_id_that_another_order_has_is_refused(server: Hostile) -> None:
    server.answers["add"] = said({"order": 55})
    a_placed_order()
    swept()
    _, review_id = unconfirmed(server)

    with pytest.raises(Refused):
        resolved(review_id, Decision.SENT_AS, "55")


def test_an_operator_may_say_that_it_was_not_sent(server: Hostile) -> None:
    order, review_id = unconfirmed(server)
    server.takes_orders()

    resolved(review_id, Decision.NOT_SENT)
    swept()
    swept()

    assert attempts(order) == ["not_sent", "sent"]
    assert server.count("add") == 2


def test_what_was_settled_as_not_sent_can_become_unconfirmed_again(server: Hostile) -> None:
    order, review_id = unconfirmed(server)

    resolved(review_id, Decision.NOT_SENT)
    swept()

    assert attempts(order) == ["not_sent", "unknown"]
    assert [review.id for review in open_reviews("unconfirmed")] != [review_id]


def test_an_operator_may_return_the_money(server: Hostile) -> None:
    order, review_id = unconfirmed(server)

    resolved(review_id, Decision.RETURN)
    with pytest.raises(Refused):
        resolved(review_id, Decision.RETURN)
    swept()

    assert again(order).status == Status.CANCELED
    assert ledger.balance_nanos(order.customer_id) == BALANCE_NANOS
    assert server.count("add") == 1
    assert_books_are_right()


def test_a_refused_connection_is_tried_later_and_sent_once(app: Flask) -> None:
    with hostile_provider() as gone:
        port = gone.port
        provider_at(gone.url, settings=app.config["PANEL"])
    order = a_placed_order()
    swept()
    swept()
    with hostile_provider(port) as server:
        server.takes_orders()

        swept()
        swept()

        assert attempts(order) == ["not_sent", "not_sent", "sent"]
        assert server.count("add") == 1


def test_one_order_alone_is_risked_on_a_provider_that_just_failed(server: Hostile) -> None:
    server.answers["add"] = said(b"")
    tool = a_tool(provider=upstream(), provider_service="7")
    orders = [a_placed_order(tool=tool) for _ in range(5)]

    swept()
    swept()

    states = sorted(state for order in orders for state in attempts(order)[-1:])
    assert server.count("add") == 2
    assert states.count("unknown") == 2


def test_orders_wait_while_the_provider_has_no_funds_and_go_when_it_is_resumed(server: Hostile) -> None:
    server.answers["add"] = said({"error": "Not enough funds on balance"})
    tool = a_tool(provider=upstream(), provider_service="7")
    orders = [a_placed_order(tool=tool) for _ in range(3)]
    swept()
    swept()
    paused = upstream().paused_at
    asked = server.count("add")
    server.takes_orders()

    with transaction():
        provider_health.resume(upstream().id, now=utc_now())
    swept()

    assert paused is not None
    assert asked == 1
    assert [attempts(order)[-1] for order in orders] == ["sent"] * 3
    assert server.count("add") == 4
    assert {again(order).status for order in orders} == {Status.PENDING}
    assert_books_are_right()


@pytest.mark.parametrize(
    "answer", [said(b"", status="429 Too Many Requests"), said({"error": "Too many requests"})], ids=["429", "words"]
)
def test_a_rate_limit_makes_orders_wait(server: Hostile, answer: Answer) -> None:
    server.answers["add"] = answer
    order = a_placed_order()

    dispatch.sweep(worker="test", wait=True)
    dispatch.sweep(worker="test", wait=True)

    assert server.count("add") == 1
    assert attempts(order) == ["refused"]
    assert again(order).status == Status.PENDING
    assert upstream().call_after is not None


@pytest.mark.parametrize(
    "text",
    ["Incorrect service ID", "Bad link", "Quantity less than minimal 50", "Quantity more than maximum 10", "bad link."],
)
def test_a_final_refusal_cancels_with_its_reason_and_all_money_back(server: Hostile, text: str) -> None:
    server.answers["add"] = said({"error": text})
    order = a_placed_order()

    swept()

    assert again(order).status == Status.CANCELED
    assert text.rstrip(".") in order.reason
    assert ledger.balance_nanos(order.customer_id) == BALANCE_NANOS
    assert_books_are_right()


def test_a_stop_asked_for_during_the_call_is_passed_on_after_it(server: Hostile) -> None:
    order, review_id = unconfirmed(server)
    with transaction():
        cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=utc_now())

    resolved(review_id, Decision.SENT_AS, "12")

    assert db.session.scalars(select(Cancellation)).one().due_at is not None
    assert open_reviews("cancel_by_hand") == []


def test_a_stop_asked_for_before_it_proved_unsent_ends_the_order(server: Hostile) -> None:
    order, review_id = unconfirmed(server)
    with transaction():
        cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=utc_now())

    resolved(review_id, Decision.NOT_SENT)
    swept()

    assert again(order).status == Status.CANCELED
    assert server.count("add") == 1
    assert_books_are_right()


def test_two_workers_at_once_hand_each_order_over_once(app: Flask, server: Hostile) -> None:
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


def test_an_old_order_found_unsent_gets_its_whole_time_again(server: Hostile) -> None:
    order, review_id = unconfirmed(server)

    resolved(review_id, Decision.NOT_SENT)
    with transaction():
        db.session.execute(update(Order).values(placed_at=utc_now() - timedelta(hours=30)))
    with transaction():
        ended = deadlines.give_up(unconfirmed_hours=72, dispatch_hours=24, now=utc_now())

    assert ended == 0
    assert again(order).status == Status.PENDING
