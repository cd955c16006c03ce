"""Fail-over to services with another form or other limits: an order goes only where it fits."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import update

from panel.db import db, transaction
from panel.domain.errors import BadInput
from panel.domain.status import Status
from panel.models import Provider, Tool, ToolRoute
from panel.services.catalogue import routes
from panel.services.catalogue import tools as catalogue_tools
from tests.jobs.test_fail_over import NO_SERVICE, add_route, pause, rounds, where
from tests.support.factories import a_provider, a_tool, new_terms, reload
from tests.support.hostile_provider import HostileProvider, hostile_provider, provider_at
from tests.support.upstream import a_placed_order, assert_ledgers_match

pytestmark = pytest.mark.both_engines


@pytest.fixture
def second(app: Flask, server: HostileProvider) -> Iterator[HostileProvider]:
    """Another provider, which takes orders."""
    with hostile_provider() as other:
        provider_at(other.url, settings=app.config["PANEL"], name="second")
        other.takes_orders()
        yield other


@pytest.fixture
def tool(second: HostileProvider) -> Tool:
    tool = a_tool("routed", provider=a_provider(name="upstream"), provider_service="7")
    add_route("routed", "second")
    return tool


def test_order_beyond_the_known_limits_of_the_next_service_is_not_passed_on(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    a_tool(provider=a_provider(name="second"), provider_service="70", minimum=10, maximum=500)
    server.answers["add"] = NO_SERVICE
    large = a_placed_order(tool=tool, quantity=501)
    small = a_placed_order(tool=tool, quantity=500)

    rounds()

    assert [call.fields["quantity"] for call in second.calls] == ["500"]
    assert (reload(large).status, where(small)[0]) == (Status.CANCELED, "second")
    assert_ledgers_match()


def test_order_below_the_known_minimum_of_the_next_service_waits_for_its_paused_provider(
    second: HostileProvider, tool: Tool
) -> None:
    a_tool(provider=a_provider(name="second"), provider_service="70", minimum=1_001, maximum=5_000)
    pause("upstream")
    order = a_placed_order(tool=tool)

    rounds()

    assert (second.count("add"), where(order)[0], reload(order).status) == (0, "upstream", Status.PENDING)


def test_nothing_goes_to_another_service_once_the_tool_has_another_form(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    new_terms(tool, order_type="Website Visits", quantity_rule="by_quantity")
    server.answers["add"] = NO_SERVICE
    order = a_placed_order(tool=tool)

    rounds()

    assert (second.count("add"), reload(order).status) == (0, Status.CANCELED)
    assert_ledgers_match()


def test_service_that_is_known_to_have_got_another_form_gets_nothing_more(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    new_terms(a_tool(provider=a_provider(name="second"), provider_service="70"), order_type="Custom Comments")
    server.answers["add"] = NO_SERVICE
    order = a_placed_order(tool=tool)

    rounds()

    assert (second.count("add"), reload(order).status) == (0, Status.CANCELED)


def test_service_that_is_known_to_take_the_new_form_gets_the_order(
    server: HostileProvider, second: HostileProvider, tool: Tool
) -> None:
    form = {"order_type": "Website Visits", "quantity_rule": "by_quantity"}
    new_terms(tool, **form)
    new_terms(a_tool(provider=a_provider(name="second"), provider_service="70"), **form)
    server.answers["add"] = NO_SERVICE
    order = a_placed_order(tool=tool)

    rounds()

    assert (second.count("add"), where(order)[0]) == (1, "second")


def test_cheapest_provider_whose_limits_do_not_fit_is_left_out(second: HostileProvider, tool: Tool) -> None:
    a_tool(provider=a_provider(name="second"), provider_service="70", minimum=10, maximum=500)
    with transaction():
        row = db.session.get_one(Tool, tool.id)
        row.is_cheapest_first, row.provider_rate_micros = True, 900_000
        db.session.execute(update(ToolRoute).values(rate_micros=100_000))

    orders = [a_placed_order(tool=tool, quantity=quantity) for quantity in (500, 501)]

    assert [where(order)[0] for order in orders] == ["second", "upstream"]


def test_service_of_another_form_and_currency_without_a_rate_are_refused(tool: Tool) -> None:
    a_provider("panel_api", name="third")
    new_terms(a_tool(provider=a_provider(name="third"), provider_service="80"), order_type="Custom Comments")

    with pytest.raises(BadInput, match="of the type Custom Comments, and this tool of Default") as form:
        add_route("routed", "third", service="80")
    with transaction():
        db.session.execute(update(Provider).where(Provider.name == "third").values(catalogue_currency="INR"))
    with pytest.raises(BadInput, match="charges in INR") as currency:
        add_route("routed", "third", service="81")
    with transaction():
        db.session.execute(update(Provider).where(Provider.name == "third").values(exchange_nanos=12_000_000))
    add_route("routed", "third", service="81", rate="30")

    assert (form.value.field, currency.value.field) == ("service", "route_provider")
    assert routes.of_tool(tool.id)[-1].cost_nanos == 360_000_000


@pytest.mark.parametrize(
    ("changes", "is_taken"),
    [
        ({}, True),
        ({"order_type": "Custom Comments"}, False),
        ({"minimum": 100_001, "maximum": 200_000}, False),
        ({"minimum": 1, "maximum": 9}, False),
        ({"minimum": 100_000, "maximum": 200_000}, True),
        ({"minimum": 1, "maximum": 10}, True),
    ],
)
def test_tool_of_a_paused_provider_takes_orders_only_where_another_one_can_deliver_them(
    tool: Tool, changes: dict[str, object], is_taken: bool
) -> None:
    new_terms(a_tool(provider=a_provider(name="second"), provider_service="70"), **changes)

    pause("upstream")

    assert is_held_back(tool) is not is_taken


def test_tool_whose_form_changed_takes_no_orders_for_a_service_that_nobody_knows(tool: Tool) -> None:
    pause("upstream")
    before = is_held_back(tool)

    new_terms(reload(tool), order_type="Custom Comments")

    assert (before, is_held_back(tool)) == (False, True)


def test_tool_of_a_paused_provider_takes_orders_that_people_deliver(tool: Tool) -> None:
    a_provider("manual", name="by-hand")
    new_terms(a_tool(provider=a_provider(name="second"), provider_service="70"), order_type="Custom Comments")
    pause("upstream")
    before = is_held_back(tool)

    add_route("routed", "by-hand", service="1")

    assert (before, is_held_back(tool)) == (True, False)


def is_held_back(tool: Tool) -> bool:
    db.session.rollback()
    offer = catalogue_tools.find(tool.slug)
    assert offer is not None
    return offer.is_held_back
