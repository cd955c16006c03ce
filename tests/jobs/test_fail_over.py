"""Fail-over: the next provider gets an order only after proof that the one before has not, and gets it once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.errors import ActionRefused, BadInput, NotFound
from panel.domain.status import Status
from panel.jobs import dispatch as dispatch_job
from panel.jobs import sync as sync_job
from panel.models import Attempt, Cancellation, Order, OrderCost, OrderEvent, Provider, Tool
from panel.providers.base import Refused
from panel.services.catalogue import routes
from panel.services.catalogue import tools as catalogue_tools
from panel.services.money import ledger
from panel.services.office import review_resolution
from panel.services.office.review_resolution import Decision, Resolution
from panel.services.orders import cancellations, dispatch, fail_over
from panel.services.providers import health
from tests.jobs.test_dispatch import UNCLEAR
from tests.support.concurrently import run_concurrently
from tests.support.factories import NOON, a_provider, a_tool, reload
from tests.support.hostile_provider import HostileProvider, hang, hostile_provider, http_response, provider_at
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

NO_FUNDS = http_response({"error": "Not enough funds on balance"})
NO_SERVICE = http_response({"error": "Incorrect service ID"})


@pytest.fixture
def second(app: Flask, server: HostileProvider) -> Iterator[HostileProvider]:
    """Another provider, which takes orders."""
    with hostile_provider() as other:
        provider_at(other.url, settings=app.config["PANEL"], name="second")
        other.orders = 5000
        other.takes_orders()
        yield other


@pytest.fixture
def tool(server: HostileProvider, second: HostileProvider) -> Tool:
    tool = a_tool("routed", provider=a_provider(name="upstream"), provider_service="7")
    add_route("routed", "second", service="70")
    return tool


def add_route(slug: str, provider: str, *, service: str = "70", rate: str = "") -> None:
    with transaction():
        routes.add(slug, provider=provider, service=service, rate=rate, actor="anna", now=NOON)


def pause(name: str) -> None:
    with transaction():
        health.pause(a_provider(name=name).id, reason="We pause it.", now=utc_now())


def resume(name: str) -> None:
    with transaction():
        health.resume(a_provider(name=name).id, now=utc_now())


def rounds(count: int = 3) -> None:
    for _ in range(count):
        dispatch_round()


def where(order: Order) -> tuple[str, str]:
    """The provider that the order names now, and its service there."""
    db.session.rollback()
    row = db.session.execute(
        select(Provider.name, Order.provider_service)
        .join(Order, Order.provider_id == Provider.id)
        .where(Order.id == order.id)
    ).one()
    return row[0], row[1]


def notes(order: Order) -> list[str]:
    db.session.rollback()
    found = select(OrderEvent.text).where(OrderEvent.order_id == order.id, OrderEvent.kind == "noted")
    return list(db.session.scalars(found.order_by(OrderEvent.id)))


def test_out_of_funds_at_the_first_goes_to_the_second_once(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    server.answers["add"] = NO_FUNDS
    order = a_placed_order(tool=tool)

    rounds()

    assert (server.count("add"), second.count("add")) == (1, 1)
    assert second.calls[0].fields["service"] == "70" and second.calls[0].fields["link"] == order.link
    assert (where(order), attempts(order)) == (("second", "70"), ["refused", "sent"])
    assert reload(order).provider_order_id == "5001"
    assert notes(order) == [fail_over.WAITED, "Sent to the provider."]
    assert len(open_reviews("provider_paused")) == 1
    assert_ledgers_match()


def test_later_calls_go_to_the_provider_that_has_the_order(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    server.answers["add"] = NO_FUNDS
    second.answers["status"] = http_response({"5001": {"status": "In progress", "remains": "400", "charge": "0.1"}})
    with transaction():
        provider = db.session.get_one(Provider, a_provider(name="second").id)
        provider.catalogue_currency, provider.exchange_nanos = "INR", 12_000_000
    order = a_placed_order(tool=tool)
    rounds()

    sync_job.sweep(worker="test", wait=True)

    assert (server.count("status"), second.count("status")) == (0, 1)
    assert reload(order).status == Status.IN_PROGRESS
    cost = db.session.get_one(OrderCost, order.id)
    assert (cost.charge_nanos, cost.exchange_nanos, cost.cost_nanos) == (100_000_000, 12_000_000, 1_200_000)


def test_service_that_the_first_does_not_offer_goes_to_the_second_once(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    server.answers["add"] = NO_SERVICE
    order = a_placed_order(tool=tool)

    rounds()

    assert (server.count("add"), second.count("add")) == (1, 1)
    assert (where(order), attempts(order)) == (("second", "70"), ["refused", "sent"])
    assert notes(order)[0] == fail_over.PASSED_ON


@pytest.mark.parametrize("how", UNCLEAR)
def test_unclear_answer_of_the_first_never_reaches_the_second(
    server: HostileProvider, second: HostileProvider, tool: Tool, how: str
) -> None:
    answer = UNCLEAR[how]
    server.answers["add"] = answer(server) if answer is hang else answer  # type: ignore[assignment,operator]
    order = a_placed_order(tool=tool)
    rounds(1)

    pause("upstream")
    rounds(2)

    assert (server.count("add"), second.count("add")) == (1, 0)
    assert (where(order)[0], attempts(order)) == ("upstream", ["unknown"])


def test_order_whose_worker_died_during_the_call_never_reaches_the_second(second: HostileProvider, tool: Tool) -> None:
    order = a_placed_order(tool=tool)
    with transaction():
        dispatch.open_attempts(tool.provider_id, most=1, lease_seconds=0, now=utc_now())

    pause("upstream")
    rounds()
    # As a worker does that had looked before the call began.
    with transaction():
        assert fail_over.pass_on_waiting([order.id], now=utc_now()) == 0

    assert second.count("add") == 0
    assert (where(order)[0], attempts(order)) == ("upstream", ["intent"])


@pytest.mark.parametrize("error", ["Bad link", "Quantity less than minimal 100", "Too many requests"])
def test_refusal_that_concerns_the_order_or_asks_to_wait_is_not_passed_on(
    server: HostileProvider, second: HostileProvider, tool: Tool, error: str
) -> None:
    server.answers["add"] = http_response({"error": error})
    order = a_placed_order(tool=tool)

    rounds(1)

    assert second.count("add") == 0 and where(order)[0] == "upstream"
    assert reload(order).status == (Status.PENDING if error == "Too many requests" else Status.CANCELED)


def test_failed_connection_is_not_passed_on(server: HostileProvider, second: HostileProvider, tool: Tool) -> None:
    server.listener.close()
    order = a_placed_order(tool=tool)

    rounds(2)

    assert second.count("add") == 0 and where(order)[0] == "upstream"


def test_provider_paused_by_us_is_passed_over(server: HostileProvider, second: HostileProvider, tool: Tool) -> None:
    pause("upstream")
    order = a_placed_order(tool=tool)

    rounds()

    assert (server.count("add"), second.count("add")) == (0, 1)
    assert (where(order), attempts(order)) == (("second", "70"), ["sent"])


def test_service_that_nobody_offers_ends_with_all_money_back(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    server.answers["add"] = second.answers["add"] = NO_SERVICE
    order = a_placed_order(tool=tool)

    rounds(4)

    assert (server.count("add"), second.count("add")) == (1, 1)
    assert reload(order).status == Status.CANCELED
    assert ledger.balance_nanos(order.customer_id) == BALANCE_NANOS
    assert_ledgers_match()


def test_order_waits_where_all_are_paused_and_goes_to_the_first_that_is_resumed(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    server.answers["add"] = second.answers["add"] = NO_FUNDS
    order = a_placed_order(tool=tool)
    rounds()
    assert (server.count("add"), second.count("add"), attempts(order)) == (1, 1, ["refused", "refused"])

    server.takes_orders()
    resume("upstream")
    rounds()

    assert (where(order), attempts(order)) == (("upstream", "7"), ["refused", "refused", "sent"])
    assert (server.count("add"), second.count("add")) == (2, 1)


def test_order_without_a_service_waits_for_a_paused_provider(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    server.answers["add"] = NO_SERVICE
    order = a_placed_order(tool=tool)
    pause("second")
    rounds()
    assert (where(order)[0], reload(order).status, second.count("add")) == ("second", Status.PENDING, 0)

    resume("second")
    rounds()

    assert (attempts(order), second.count("add"), server.count("add")) == (["refused", "sent"], 1, 1)


def test_order_stays_with_a_provider_that_was_resumed_meanwhile(tool: Tool) -> None:
    pause("upstream")
    order = a_placed_order(tool=tool)
    found = fail_over.waiting(now=utc_now())
    resume("upstream")

    with transaction():
        assert fail_over.pass_on_waiting(found, now=utc_now()) == 0

    assert (found, where(order)[0]) == ([order.id], "upstream")


def test_order_never_goes_back_to_a_provider_without_the_service(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    server.answers["add"], second.answers["add"] = NO_SERVICE, NO_FUNDS
    order = a_placed_order(tool=tool)

    rounds(4)

    assert (server.count("add"), second.count("add")) == (1, 1)
    assert (where(order)[0], reload(order).status) == ("second", Status.PENDING)


def test_third_provider_by_hand_gets_the_order_into_its_queue(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    a_provider("manual", name="by-hand")
    add_route("routed", "by-hand", service="manual")
    server.answers["add"] = second.answers["add"] = NO_SERVICE
    order = a_placed_order(tool=tool)

    rounds(4)

    assert where(order) == ("by-hand", "manual")
    assert (reload(order).dispatch_at, order.status) == (None, Status.PENDING)


def test_order_of_which_an_operator_found_that_it_was_not_sent_stays_where_it_is(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    server.answers["add"] = http_response(b"")
    order = a_placed_order(tool=tool)
    rounds(1)
    [review] = open_reviews("unconfirmed")
    with transaction():
        review_resolution.resolve(review.id, Resolution(Decision.NOT_SENT, "They say so.", "anna"), now=utc_now())

    pause("upstream")
    rounds()

    assert (attempts(order), second.count("add"), where(order)[0]) == (["not_sent"], 0, "upstream")


def test_order_that_nobody_else_may_get_holds_no_other_one(second: HostileProvider, tool: Tool) -> None:
    pause("upstream")
    stays, goes = a_placed_order(tool=tool), a_placed_order(tool=tool)
    with transaction():
        lost = {"kind": "add", "at": NOON, "lease_until": NOON, "answered_at": NOON}
        answer = fail_over.NO_SERVICE + "x"
        db.session.add(
            Attempt(order_id=stays.id, provider_id=a_provider(name="second").id, state="refused", answer=answer, **lost)
        )
        db.session.execute(update(Order).values(dispatch_at=utc_now()))

    dispatch_job.sweep(worker="test", wait=True)

    assert (where(stays)[0], where(goes)[0]) == ("upstream", "second")
    assert fail_over.waiting(now=utc_now()) == []
    assert fail_over.waiting(now=utc_now() + fail_over.LOOK_AGAIN) == [stays.id]


def test_paused_provider_in_between_is_passed_over(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    a_provider("manual", name="by-hand")
    add_route("routed", "by-hand", service="manual")
    pause("upstream")
    pause("second")
    order = a_placed_order(tool=tool)

    rounds()

    assert where(order) == ("by-hand", "manual")
    assert (server.count("add"), second.count("add")) == (0, 0)


def test_order_that_its_customer_cancels_is_not_passed_on(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    order = a_placed_order(tool=tool)
    with transaction():
        [sent] = dispatch.open_attempts(tool.provider_id, most=1, lease_seconds=60, now=utc_now())
    with transaction():
        cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=utc_now())
    refused = Refused("Incorrect service ID", is_final=True, has_no_service=True)

    with transaction():
        dispatch.record_outcome(sent.attempt_id, refused, now=utc_now())

    assert reload(order).status == Status.CANCELED
    assert second.count("add") == 0
    assert ledger.balance_nanos(order.customer_id) == BALANCE_NANOS
    assert db.session.scalars(select(Cancellation.state)).one() != "asked"


def test_two_workers_pass_each_order_on_once(
    app: Flask, server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    pause("upstream")
    orders = [a_placed_order(tool=tool) for _ in range(6)]

    run_concurrently(app, [lambda: dispatch_job.sweep(worker="a", wait=True)] * 2)
    rounds(2)

    assert sorted(call.fields["link"] for call in second.calls) == sorted(order.link for order in orders)
    assert [notes(order) for order in orders] == [[fail_over.WAITED, "Sent to the provider."]] * 6
    assert server.count("add") == 0
    assert_ledgers_match()


def test_tool_is_held_back_only_while_none_of_its_providers_takes_orders(tool: Tool) -> None:
    def is_held_back() -> bool:
        db.session.rollback()
        offer = catalogue_tools.find("routed")
        assert offer is not None
        return offer.is_held_back

    seen = [is_held_back()]
    pause("upstream")
    seen.append(is_held_back())
    pause("second")
    seen.append(is_held_back())
    resume("second")
    seen.append(is_held_back())

    assert seen == [False, False, True, False]


def test_cheapest_provider_is_tried_first_where_that_is_chosen(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    server.takes_orders()
    with transaction():
        db.session.execute(update(Tool).where(Tool.id == tool.id).values(provider_rate_micros=500_000))
        routes.remove("routed", routes.of_tool(tool.id)[1].id or 0, actor="anna", now=NOON)
    add_route("routed", "second", rate="0.40")
    assert [route.provider_name for route in routes.of_tool(tool.id)] == ["upstream", "second"]

    with transaction():
        routes.set_cheapest_first("routed", True, actor="anna", now=NOON)
    order = a_placed_order(tool=tool)
    rounds(1)

    assert [(route.provider_name, route.cost_nanos) for route in routes.of_tool(tool.id)] == [
        ("second", 400_000_000),
        ("upstream", 500_000_000),
    ]
    assert (where(order)[0], server.count("add"), second.count("add")) == ("second", 0, 1)


def test_routes_are_ordered_and_wrong_ones_are_refused(app: Flask, tool: Tool) -> None:
    a_provider("panel_api", name="third")
    a_provider("simulated", name="pretend")
    add_route("routed", "third")
    with transaction():
        [_own, _second, third] = routes.of_tool(tool.id)
        routes.move_up("routed", third.id or 0, actor="anna", now=NOON)

    assert [route.provider_name for route in routes.of_tool(tool.id)] == ["upstream", "third", "second"]
    for wrong, field in (
        ({"provider": "nobody"}, "route_provider"),
        ({"provider": "second"}, "route_provider"),
        ({"provider": "upstream"}, "route_provider"),
        ({"provider": "pretend"}, "route_provider"),
    ):
        with pytest.raises(BadInput) as error:
            add_route("routed", **wrong)
        assert error.value.field == field
    a_provider("panel_api", name="fourth")
    for more, field in (({"service": " "}, "service"), ({"rate": "cheap"}, "route_rate")):
        with pytest.raises(BadInput) as error:
            add_route("routed", "fourth", **more)
        assert error.value.field == field
    with pytest.raises(ActionRefused), transaction():
        routes.move_up("routed", third.id or 0, actor="anna", now=NOON)
    a_tool("other-tool", provider=a_provider(name="upstream"))
    for slug, route_id in (("routed", 999), ("other-tool", third.id or 0)):
        with pytest.raises(NotFound), transaction():
            routes.remove(slug, route_id, actor="anna", now=NOON)


def test_provider_that_became_the_tools_own_is_no_route_any_more(tool: Tool) -> None:
    with transaction():
        db.session.execute(update(Tool).values(provider_id=a_provider(name="second").id))

    assert [route.provider_name for route in routes.of_tool(tool.id)] == ["second"]


def test_upstream_is_the_only_provider_of_a_tool_without_routes(server: HostileProvider) -> None:
    server.answers["add"] = NO_FUNDS
    order = a_placed_order()

    rounds()

    assert where(order)[0] == upstream().name
    assert fail_over.waiting(now=utc_now() + timedelta(days=1)) == []
