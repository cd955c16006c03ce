"""Simulated tools: labeled wherever they are offered or ordered; the panel's own test provider can't be sold."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import BadCatalogue, UnknownTool
from panel.models import Tool
from panel.services import test_orders
from panel.services.api import orders as api_orders
from panel.services.api import test_customers
from panel.services.catalogue import tools
from panel.services.catalogue.customer_prices import LIST_PRICES
from panel.services.office import tool_editor
from panel.services.office.tool_editor import BadTool
from panel.services.orders import placing
from panel.services.orders.placing import Placing
from panel.services.platform import canary
from panel.services.providers import registry as provider_registry
from tests.support.factories import LINK, NOON, a_customer, a_provider, a_tool, an_operator, an_order, logged_in

NOTICE = "This tool is simulated"


def prepared() -> None:
    with transaction():
        canary.prepare(key="smm_a_key_of_tests", now=utc_now())


def in_production(app: Flask, **settings: object) -> None:
    app.config["PANEL"] = app.config["PANEL"].model_copy(update={"env": "production", **settings})


def test_test_provider_is_in_no_list_and_in_no_choice(app: Flask, client: FlaskClient) -> None:
    prepared()
    a_provider("manual", name="by hand")
    customer = a_customer()
    with transaction():
        test_customers.ensure(customer.id, now=NOON)
    logged_in(client, an_operator())

    assert [each.name for each in provider_registry.listed()] == ["by hand"]
    for name in test_orders.OWN_PROVIDERS:
        assert name not in client.get("/office/providers").text
        assert name not in client.get("/office/tools/new").text
        assert name not in app.test_cli_runner().invoke(args=["providers", "list"]).stdout


def test_test_provider_is_refused_as_the_provider_of_a_tool() -> None:
    prepared()
    tool = a_tool("visits")
    shown = tools.find_any("visits")
    assert shown is not None
    typed = tool_editor.typed_of(shown) | {"provider": test_orders.PROVIDER_NAME}

    with pytest.raises(BadTool) as refused:
        tool_editor.read(typed)
    assert list(refused.value.errors) == ["provider"]
    written = tools.DEMO_FILE.read_text().replace("provider: simulator", f"provider: {test_orders.PROVIDER_NAME}")
    with pytest.raises(BadCatalogue), transaction():
        tools.import_tools(written.encode(), name="tools.yaml", now=NOON)
    assert tool.id


def test_tool_that_has_the_test_provider_already_can_not_be_ordered(client: FlaskClient) -> None:
    prepared()
    provider = provider_registry.find(test_orders.PROVIDER_NAME)
    assert provider is not None
    a_tool("visits", provider=provider)

    assert tools.listed() == [] and api_orders.services(prices=LIST_PRICES, now=NOON) == []
    assert client.get("/tools/visits").status_code == 404
    with pytest.raises(UnknownTool):
        placing.quote("visits", customer_id=None, link=LINK, quantity="100")


def test_simulated_tool_says_so_on_its_page_in_the_form_at_the_check_and_on_the_order(client: FlaskClient) -> None:
    customer = a_customer("1000")
    simulated, by_hand = (a_tool(slug, provider=kind) for slug, kind in (("seems", "simulated"), ("hands", "manual")))
    orders = [an_order(customer=customer, tool=tool, now=utc_now()) for tool in (simulated, by_hand)]
    logged_in(client, customer)

    def pages(tool: Tool, order_id: int) -> list[str]:
        form = {"tool": tool.slug, "link": LINK, "quantity": "100"}
        return [
            client.get(f"/tools/{tool.slug}").text,
            client.get(f"/orders/new?tool={tool.slug}").text,
            client.get(f"/orders/price?tool={tool.slug}").text,
            client.post("/orders/check", data=form).text,
            client.get(f"/orders/{order_id}").text,
        ]

    assert [NOTICE in page for page in pages(simulated, orders[0].id)] == [True] * 5
    assert [NOTICE in page for page in pages(by_hand, orders[1].id)] == [False] * 5


def test_production_sells_no_simulated_tool_unless_a_setting_allows_it(app: Flask) -> None:
    a_tool("seems")
    asked = Placing("seems", LINK, "100", request_id="request-000001")
    customer = a_customer("1000")
    in_production(app)

    assert tools.listed() == [] and api_orders.services(prices=LIST_PRICES, now=NOON) == []
    with pytest.raises(UnknownTool, match="simulated"), transaction():
        placing.place_order(customer.id, asked=asked, now=utc_now())

    in_production(app, simulated_orders=True)
    assert [tool.slug for tool in tools.listed()] == ["seems"]
    with transaction():
        assert placing.place_order(customer.id, asked=asked, now=utc_now()).id


def test_production_still_places_its_own_test_orders(app: Flask) -> None:
    prepared()
    in_production(app)

    with transaction():
        assert canary.place(now=utc_now()).id
