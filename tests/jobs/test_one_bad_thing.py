"""Failure isolation in sweeps: unclear dispatches, a customer with many orders, a provider with many cancellations."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, table_of, transaction
from panel.domain.platform.component_states import State
from panel.domain.status import Status
from panel.jobs import cancellations as stop_sweep
from panel.jobs import dispatch, provider_balances, provider_lanes, sync
from panel.jobs import refills as refill_sweep
from panel.models import Cancellation, Order, OrderEvent, Provider
from panel.services.office import providers_view
from panel.services.orders import cancellations, refills
from panel.services.orders.cancellations import NOT_UNDERSTOOD
from panel.services.platform import checks
from panel.services.providers import health as provider_health
from panel.services.providers import registry as provider_registry
from tests.support.factories import a_customer, a_tool, an_order, reload
from tests.support.hostile_provider import HostileProvider, hang, hostile_provider, http_response, provider_at
from tests.support.upstream import a_placed_order, assert_ledgers_match, attempts, open_reviews, upstream
from tests.support.waiting import until

pytestmark = pytest.mark.both_engines

COLUMNS = [column.name for column in table_of(Order).c if column.name != "id"]
UNCLEAR = http_response(b"", status="500 Internal Server Error")


@pytest.fixture
def other(app: Flask) -> Iterator[HostileProvider]:
    with hostile_provider() as server:
        provider_at(server.url, settings=app.config["PANEL"], name="other")
        yield server


def named(name: str) -> Provider:
    db.session.rollback()
    return db.session.scalars(select(Provider).where(Provider.name == name)).one()


def served_for(provider: Provider, *, rounds: int) -> None:
    """Run rounds of dispatch, each followed by a successful `status`, which ends the provider's back-off."""
    for _ in range(rounds):
        dispatch.serve(provider.id)
        with transaction():
            db.session.execute(update(Order).where(Order.sync_at.is_not(None)).values(sync_at=utc_now()))
            db.session.execute(update(Provider).values(call_after=None))
        sync.serve(provider.id)


def test_a_provider_without_clear_answers_to_orders_gets_three_and_then_one_at_a_time(server: HostileProvider) -> None:
    tool = a_tool(provider=upstream(), provider_service="7")
    server.takes_orders()
    running = a_placed_order(tool=tool)
    dispatch.serve(upstream().id)
    server.answers["status"] = http_response(
        {reload(running).provider_order_id: {"status": "In progress", "remains": "5"}}
    )
    server.answers["add"] = UNCLEAR
    orders = [a_placed_order(tool=tool) for _ in range(10)]

    served_for(upstream(), rounds=8)
    held = upstream().add_after
    sent_while_held = server.count("add")
    reviews_opened = open_reviews("provider_unclear")
    page = providers_view.find(upstream().id, now=utc_now())
    shown = page and (page.is_well, page.state)
    with transaction():
        db.session.execute(update(Provider).values(add_after=utc_now()))
    served_for(upstream(), rounds=3)
    sent_by_a_probe = server.count("add")
    server.takes_orders()
    with transaction():
        db.session.execute(update(Provider).values(add_after=utc_now()))
    served_for(upstream(), rounds=1)

    assert held is not None
    assert held > utc_now()
    assert (sent_while_held, sent_by_a_probe) == (1 + 3, 1 + 4)
    assert [review.provider_id for review in reviews_opened] == [upstream().id]
    assert shown == (False, "Takes no new orders: 3 in a row had no clear answer")
    assert sum(reload(order).provider_order_id is not None for order in orders) == 6
    assert sum(attempts(order) == ["unknown"] for order in orders) == 4
    assert open_reviews("provider_unclear") == []
    assert_ledgers_match()


def test_many_workers_probe_with_one_order(app: Flask, server: HostileProvider) -> None:
    tool = a_tool(provider=upstream(), provider_service="7")
    for _ in range(4):
        a_placed_order(tool=tool)
    provider_id = upstream().id
    with transaction():
        db.session.execute(update(Provider).values(unclear_adds=3, add_after=utc_now()))
    server.answers["add"] = hang(server)

    def work(_number: int) -> None:
        with app.app_context():
            dispatch.serve(provider_id)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    assert server.count("add") == 1
    assert upstream().unclear_adds == 4


@pytest.mark.parametrize("is_paused", [True, False])
def test_an_operator_who_resumes_a_provider_ends_its_probing(server: HostileProvider, is_paused: bool) -> None:
    later, paused_at = utc_now() + timedelta(hours=1), utc_now() if is_paused else None
    provider_id = upstream().id
    with transaction():
        db.session.execute(update(Provider).values(unclear_adds=3, add_after=later, paused_at=paused_at))

    with transaction():
        was_held = provider_health.resume(provider_id, now=utc_now())

    assert was_held
    assert (upstream().unclear_adds, upstream().add_after, upstream().paused_at) == (0, None, None)


def test_the_platform_status_does_not_call_a_provider_well_that_gets_no_orders(server: HostileProvider) -> None:
    a_placed_order()
    with transaction():
        db.session.execute(update(Provider).values(unclear_adds=3, answered_at=utc_now()))

    [found] = checks.providers(now=utc_now())

    assert (found.state, found.text) == (
        State.PARTIAL,
        "Orders wait: we give this provider nothing new at the moment.",
    )


def test_customers_take_turns(server: HostileProvider) -> None:
    server.takes_orders()
    tool = a_tool(provider=upstream(), provider_service="7")
    big, small = a_customer("1000"), a_customer("1000")
    for number in range(8):
        an_order(customer=big, tool=tool, link=f"https://example.com/big-{number}", now=utc_now())
    for number in range(2):
        an_order(customer=small, tool=tool, link=f"https://example.com/small-{number}", now=utc_now())

    dispatch.serve(upstream().id)

    links = [call.fields["link"].rpartition("/")[2] for call in server.calls if call.action == "add"]
    assert sorted(links[:4]) == ["big-0", "big-1", "small-0", "small-1"]
    assert [link for link in links if link.startswith("big")] == [f"big-{number}" for number in range(8)]


def test_cancellations_refills_and_balances_do_not_wait_for_orders(server: HostileProvider) -> None:
    server.takes_orders()
    tool = a_tool(provider=upstream(), provider_service="7")
    stopping = a_placed_order(tool=tool)
    dispatch.serve(upstream().id)
    refilling = an_order(tool=tool, status=Status.COMPLETED, now=utc_now())
    with transaction():
        cancellations.request_cancellation(stopping.id, customer_id=stopping.customer_id, now=utc_now())
        refills.request_refill(refilling.id, customer_id=refilling.customer_id, now=utc_now())
    server.answers["add"] = hang(server)
    server.answers["balance"] = http_response({"balance": "12.5", "currency": "USD"})
    for _ in range(3):
        a_placed_order(tool=tool)
    dispatch.sweep(worker="test")
    assert until(lambda: server.count("add") >= 2)

    for sweep in (stop_sweep.sweep, refill_sweep.sweep, provider_balances.sweep):
        sweep(worker="test", wait=True)
    asked = {call.action for call in server.calls[2:]}
    is_busy = any(job == "dispatch" for job, _ in provider_lanes.busy())

    assert is_busy
    assert asked >= {"cancel", "refill", "balance"}
    assert until(lambda: not provider_lanes.busy())


def sent_to(provider: Provider, count: int) -> list[Order]:
    tool = a_tool(provider=provider, provider_service="7", can_cancel=True)
    customer = a_customer("1000")
    orders = [an_order(customer=customer, tool=tool, now=utc_now()) for _ in range(count)]
    dispatch.serve(provider.id)
    return [reload(order) for order in orders]


def test_many_cancellations_at_one_provider_delay_none_at_another(
    server: HostileProvider, other: HostileProvider
) -> None:
    server.takes_orders()
    other.takes_orders()
    [crowd], [lone] = sent_to(named("upstream"), 1), sent_to(named("other"), 1)
    with transaction():
        present = {name: getattr(crowd, name) for name in COLUMNS}
        for number in range(250):
            copy = present | {"request_id": f"copy-{number:06d}", "provider_order_id": str(5_000 + number)}
            copied = db.session.execute(Order.__table__.insert().returning(Order.id), copy).scalar_one()  # type: ignore[attr-defined]
            asked = {"order_id": copied, "state": "asked", "asked_at": utc_now(), "due_at": utc_now(), "reason": ""}
            db.session.execute(Cancellation.__table__.insert(), asked)  # type: ignore[attr-defined]
    with transaction():
        mine = cancellations.request_cancellation(lone.id, customer_id=lone.customer_id, now=utc_now())
    other.answers["cancel"] = http_response([{"order": int(lone.provider_order_id or 0), "cancel": 1}])
    now = utc_now()

    stop_sweep._serve(named("other").id)

    assert cancellations.providers_with_work(now=now) == [named("upstream").id]
    assert len(cancellations.due_ids(named("upstream").id, now=now)) == cancellations.BATCH
    assert reload(mine).state == "accepted"


def test_a_cancellation_refused_in_unknown_words_is_sent_three_times_and_then_left_to_operators(
    server: HostileProvider,
) -> None:
    server.takes_orders()
    [order] = sent_to(upstream(), 1)
    server.answers["cancel"] = http_response({"error": "Nobody knows these words"})
    with transaction():
        asked = cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=utc_now())

    for _ in range(6):
        with transaction():
            db.session.execute(update(Cancellation).where(Cancellation.due_at.is_not(None)).values(due_at=utc_now()))
        stop_sweep.sweep(worker="test", wait=True)

    assert server.count("cancel") == 3
    assert reload(asked).state == "asked"
    assert [review.order_id for review in open_reviews("cancel_by_hand")] == [order.id]
    texts = db.session.scalars(select(OrderEvent.text).where(OrderEvent.order_id == order.id)).all()
    assert texts.count(NOT_UNDERSTOOD) == 1
    assert upstream().failures == 0


@pytest.mark.parametrize("words", ["Cancel is not available", "Order can't be cancelled", "Order already completed."])
def test_known_words_refuse_a_cancellation(server: HostileProvider, words: str) -> None:
    server.takes_orders()
    [order] = sent_to(upstream(), 1)
    server.answers["cancel"] = http_response({"error": words}, status="400 Bad Request")
    with transaction():
        asked = cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=utc_now())

    stop_sweep.sweep(worker="test", wait=True)

    assert (reload(asked).state, server.count("cancel")) == ("refused", 1)


def test_a_replaced_key_is_used_for_the_very_next_call(app: Flask, server: HostileProvider) -> None:
    tool = a_tool(provider=upstream(), provider_service="7")
    for _ in range(4):
        a_placed_order(tool=tool)
    ciphertext = provider_registry.encrypt("another-key", settings=app.config["PANEL"])

    def replace(connection: object, call: object) -> None:
        if server.count("add") == 2:
            with app.app_context(), transaction():
                db.session.execute(update(Provider).values(encrypted_key=ciphertext))
        server._take(connection, call)  # type: ignore[arg-type]

    server.answers["add"] = replace

    dispatch.serve(upstream().id)

    keys = [call.fields["key"] for call in server.calls if call.action == "add"]
    assert keys == ["a-key-of-the-provider"] * 2 + ["another-key"] * 2
