"""Sync with a hostile provider: amounts exact to the nano, text escaped, and a bad row doesn't affect others."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import dispatch, provider_lanes, sync
from panel.models import Order, OrderEvent, Provider, Review, User
from panel.services.money import ledger
from panel.services.orders import sync as order_sync
from tests.support.factories import a_customer, a_tool, an_order, logged_in, reload
from tests.support.hostile_provider import HostileProvider, hang, hostile_provider, http_response, provider_at
from tests.support.upstream import assert_ledgers_match
from tests.support.waiting import until

pytestmark = pytest.mark.both_engines

QUANTITY = 1_000
CHARGE_NANOS = 900_000_000
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def server(app: Flask) -> Iterator[HostileProvider]:
    app.config["PANEL"] = app.config["PANEL"].model_copy(update={"provider_timeout_seconds": 20.0})
    with hostile_provider() as server:
        provider_at(server.url, settings=app.config["PANEL"])
        server.takes_orders()
        yield server


def upstream(name: str = "upstream") -> Provider:
    db.session.rollback()
    return db.session.scalars(select(Provider).where(Provider.name == name)).one()


def sent_orders(count: int = 1) -> list[Order]:
    tool = a_tool(provider=upstream(), provider_service="7", refill_days=30)
    orders = [an_order(customer=a_customer("1000"), tool=tool, quantity=QUANTITY, now=utc_now()) for _ in range(count)]
    dispatch.sweep(worker="test", wait=True)
    return [reload(order) for order in orders]


def sync_with(server: HostileProvider, answer: Any) -> None:
    """Run one sync with this answer; lists and objects are sent as JSON."""
    server.answers["status"] = answer if isinstance(answer, bytes) else http_response(answer)
    with transaction():
        db.session.execute(update(Provider).values(call_after=None))
        db.session.execute(update(Order).where(Order.sync_at.is_not(None)).values(sync_at=utc_now()))
    sync.sweep(worker="test", wait=True)


def row(status: object = "In progress", remains: object = "500", **more: object) -> dict[str, object]:
    return {"charge": "0.27819", "start_count": "3572", "status": status, "remains": remains, "currency": "USD"} | more


def standing(order: Order) -> tuple[str, int, int, int]:
    order = reload(order)
    return order.status, order.remains, order.kept_nanos, order.returned_nanos


def reviews_of(order: Order) -> int:
    db.session.rollback()
    return len(db.session.scalars(select(Review).where(Review.order_id == order.id)).all())


ENDS = {
    "Completed": (("Completed", "0"), ("completed", 0, CHARGE_NANOS, 0)),
    "Partial": (("Partial", "157"), ("partial", 157, 843 * 900_000, 157 * 900_000)),
    "partial": (("partial", 157), ("partial", 157, 843 * 900_000, 157 * 900_000)),
    "Canceled": (("Canceled", "1000"), ("canceled", 1_000, 0, CHARGE_NANOS)),
    "Cancelled": (("Cancelled", "0"), ("canceled", 1_000, 0, CHARGE_NANOS)),
    "without remains": (("Canceled", None), ("canceled", 1_000, 0, CHARGE_NANOS)),
    "all undelivered": (("Partial", "1000"), ("partial", 1_000, 0, CHARGE_NANOS)),
}


@pytest.mark.parametrize("how", ENDS)
def test_an_end_settles_money_to_the_nano_once(server: HostileProvider, how: str) -> None:
    report, expected = ENDS[how]
    [order] = sent_orders()

    for _ in range(5):
        sync_with(server, {order.provider_order_id: row(*report)})

    assert standing(order) == expected
    assert ledger.balance_nanos(order.customer_id) == 1_000 * 10**9 - expected[2]
    assert reviews_of(order) == 0
    assert_ledgers_match()


BAD: dict[str, Any] = {
    "remains below 0": row("Partial", "-1"),
    "remains above quantity": row("Partial", "1001"),
    "remains null": row("Partial", None),
    "a fraction": row("Partial", "157.5"),
    "an exponent": row("Partial", "1e2"),
    "a comma": row("Partial", "1,000"),
    "far too many": row("Partial", 10**30),
    "a float": http_response(b'{"1001": {"status": "Partial", "remains": 157.0}}'),
    "true": row("Partial", True),
    "a list": row("Partial", ["157"]),
    "an unknown word": row("Finished", "0"),
    "script text": row(SCRIPT, SCRIPT),
    "no text": row(5, "0"),
    "a list of words": row(["Completed"], "0"),
    "null": row(None, "0"),
    "long": row("Completed" + " " * 60 + "not", "0"),
    "an error": {"error": "Incorrect order ID"},
    "a text": "Completed",
    "backwards": row("Pending", "1000"),
    "a surrogate": http_response(b'{"1001": {"status": "\\ud800\\u0000", "remains": "1"}}'),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_report_changes_nothing_and_opens_one_review(app: Flask, server: HostileProvider, how: str) -> None:
    [order] = sent_orders()
    sync_with(server, {order.provider_order_id: row(" In Progress ", "500")})
    given = BAD[how]

    for _ in range(3):
        sync_with(server, given if isinstance(given, bytes) else {order.provider_order_id: given})

    assert standing(order) == ("in_progress", 500, 0, 0)
    assert reload(order).sync_at is not None
    assert reviews_of(order) == 1
    customer = db.session.get_one(User, order.customer_id)
    page = logged_in(app.test_client(), customer).get(f"/orders/{order.id}")
    assert page.status_code == 200
    assert SCRIPT not in page.text
    assert_ledgers_match()


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        (row("Completed", "0"), row("Partial", "157"), "completed"),
        (row("Partial", "157"), row("Completed", "0"), "partial"),
        (row("Partial", "157"), row("Canceled", "1000"), "partial"),
        (row("Partial", "157"), row("Partial", "158"), "partial"),
        (row("Canceled", "1000"), row("In progress", "10"), "canceled"),
    ],
)
def test_report_that_contradicts_an_end_changes_nothing_and_opens_one_review(
    server: HostileProvider, first: dict[str, object], second: dict[str, object], stays: str
) -> None:
    """A report may arrive after another worker's report has ended the order."""
    [order] = sent_orders()
    sync_with(server, {order.provider_order_id: first})
    before = standing(order)
    with transaction():
        db.session.execute(update(Order).values(sync_at=utc_now()))

    for _ in range(2):
        sync_with(server, {order.provider_order_id: second})

    assert standing(order) == before
    assert before[0] == stays
    assert reviews_of(order) == 1
    assert_ledgers_match()


def test_a_believed_report_that_needs_a_review_gets_no_line_of_doubt(server: HostileProvider) -> None:
    [order] = sent_orders()

    sync_with(server, {order.provider_order_id: row("Completed", "3")})

    assert standing(order)[0] == "completed"
    assert reviews_of(order) == 1
    texts = db.session.scalars(select(OrderEvent.text).where(OrderEvent.order_id == order.id))
    assert not [text for text in texts if "does not fit" in text]


def test_remains_that_rose_are_shown(server: HostileProvider) -> None:
    [order] = sent_orders()
    sync_with(server, {order.provider_order_id: row(remains="500")})

    sync_with(server, {order.provider_order_id: row(remains="700")})

    assert standing(order) == ("in_progress", 700, 0, 0)
    assert reload(order).start_count == 3572


def test_one_bad_row_and_foreign_ids_affect_no_other_order(server: HostileProvider) -> None:
    orders = sent_orders(4)
    stranger = an_order(quantity=QUANTITY)
    ids = [order.provider_order_id for order in orders]

    sync_with(
        server, {ids[0]: row(), ids[1]: row("?"), ids[3]: row("Completed", "0"), "9": row(), str(stranger.id): row()}
    )

    assert [standing(order)[0] for order in orders] == ["in_progress", "pending", "pending", "completed"]
    assert standing(stranger)[0] == "pending"
    assert [reviews_of(order) for order in orders] == [0, 1, 0, 0]
    assert_ledgers_match()


@pytest.mark.parametrize(
    "answer", [[row()], "text", 5, {"error": "Invalid API key"}, http_response(b""), http_response(b"<html>")]
)
def test_an_answer_that_is_no_object_changes_nothing_and_makes_us_wait(server: HostileProvider, answer: Any) -> None:
    [order] = sent_orders()

    sync_with(server, answer)
    asked = server.count("status")
    with transaction():
        db.session.execute(update(Order).values(sync_at=utc_now()))
    sync.sweep(worker="test", wait=True)

    assert standing(order) == ("pending", 1_000, 0, 0)
    assert server.count("status") == asked
    assert upstream().failures == 1


def test_backoff_grows_until_a_success_and_operators_are_notified_once(server: HostileProvider) -> None:
    [order] = sent_orders()
    for _ in range(7):
        sync_with(server, http_response(b""))
    waited = upstream()
    failures, is_waiting = waited.failures, waited.call_after is not None and waited.call_after > utc_now()
    sync_with(server, {order.provider_order_id: row()})

    assert (failures, is_waiting) == (7, True)
    assert (upstream().failures, upstream().call_after) == (0, None)
    db.session.rollback()
    assert len(db.session.scalars(select(Review).where(Review.kind == "provider_silent")).all()) == 1


def test_a_hundred_orders_are_asked_about_at_once(server: HostileProvider) -> None:
    [order] = sent_orders()
    with transaction():
        columns = {name: value for name, value in Order.__table__.columns.items() if name != "id"}
        present = db.session.execute(select(*columns.values()).where(Order.id == order.id)).one()._asdict()
        for number in range(204):
            copy = present | {"request_id": f"copy-{number:06d}", "provider_order_id": str(5_000 + number)}
            db.session.execute(Order.__table__.insert().values(copy))  # type: ignore[attr-defined]

    sync_with(server, {})

    # Batches are on their way at the same time, so they arrive in any order.
    asked = [len(call.fields["orders"].split(",")) for call in server.calls if call.action == "status"]
    assert sorted(asked) == [5, 100, 100]


def test_a_paused_provider_is_still_asked_about_what_it_has(server: HostileProvider) -> None:
    [order] = sent_orders()
    with transaction():
        db.session.execute(update(Provider).values(paused_at=utc_now()))

    sync_with(server, {order.provider_order_id: row("Completed", "0")})

    assert standing(order)[0] == "completed"


def test_a_provider_that_hangs_delays_no_other_and_holds_no_lock(app: Flask, server: HostileProvider) -> None:
    [order] = sent_orders()
    with hostile_provider() as slow:
        slow.answers["add"] = hang(slow)
        provider_at(slow.url, settings=app.config["PANEL"], name="slow")
        waiting = an_order(tool=a_tool(provider=upstream("slow"), provider_service="1"), now=utc_now())
        dispatch.sweep(worker="test")
        assert until(lambda: slow.count("add") == 1)

        began = time.monotonic()
        placed = an_order(tool=a_tool(provider=upstream(), provider_service="7"), now=utc_now())
        dispatch.serve(upstream().id)
        took = time.monotonic() - began

        assert took < 10
        assert reload(placed).provider_order_id is not None
        assert reload(waiting).provider_order_id is None
        assert standing(order)[0] == "pending"
    assert until(lambda: not provider_lanes.busy())


def test_a_question_already_taken_is_not_asked_by_another_worker(server: HostileProvider) -> None:
    sent_orders(3)
    provider_id, now = upstream().id, utc_now() + timedelta(minutes=1)
    with transaction():
        first = order_sync.take_batch(provider_id, again_seconds=10, now=now)
    with transaction():
        second = order_sync.take_batch(provider_id, again_seconds=10, now=now)

    assert (len(first), second) == (3, [])


def test_the_raw_text_of_a_report_is_kept_short_for_operators(server: HostileProvider) -> None:
    [order] = sent_orders()

    sync_with(server, {order.provider_order_id: row("x" * 100_000)})

    raw = db.session.scalars(
        select(OrderEvent.raw).where(OrderEvent.order_id == order.id, OrderEvent.source == "provider")
    ).one()
    assert "xxx" in raw
    assert len(raw) <= 200
