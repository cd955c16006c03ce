"""Customers' prices: form, check, API and statement name one price, and no cached page reaches another group."""

import json
import re
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused, TermsChanged
from panel.models import Order, Tool, User, Webhook
from panel.services.api import catalogue_events
from panel.services.api import keys as api_keys
from panel.services.catalogue import customer_prices, tool_settings
from panel.services.office import price_groups
from panel.services.orders import placing
from panel.services.orders.placing import Placing
from tests.services.test_webhooks import an_endpoint
from tests.support.factories import NOON, a_customer, a_tool, an_operator, logged_in, reload
from tests.support.page_text import text_of

pytestmark = pytest.mark.both_engines

LINK = "https://example.com/page"
LIST, PERCENT, FIXED = "0.917", "0.68775", "0.5613"
READS = ("/", "/tools", "/tools?sort=price", "/tools/visits", "/orders/new", "/orders/new?tool=visits")
MORE = ("/orders/tools", "/orders/price?tool=visits&quantity=1000", "/orders/mass")


@dataclass
class GroupBuyer:
    """Somebody with a price, a client and an API key."""

    user: User
    price: str
    client: FlaskClient
    key: str


def a_group(name: str, percent: str, fixed: str = "") -> int:
    with transaction():
        group_id = price_groups.add(name, percent, actor="anna", now=NOON)
        if fixed:
            price_groups.set_price(group_id, "visits", fixed, actor="anna", now=NOON)
    return group_id


def give(user: User, group_id: int | None) -> None:
    with transaction():
        price_groups.give(user.id, group_id, actor="anna", now=NOON)


def a_buyer(app: Flask, price: str, group_id: int | None) -> GroupBuyer:
    user = a_customer("100.00")
    if group_id is not None:
        give(user, group_id)
    with transaction():
        key = api_keys.make_for(user.id, asked=api_keys.NewKey("Shop"), now=NOON).text
    return GroupBuyer(user, price, logged_in(app.test_client(), user), key)


@pytest.fixture
def tool(app: Flask) -> Tool:
    return a_tool("visits", price=LIST)


@pytest.fixture
def buyers(app: Flask, tool: Tool) -> list[GroupBuyer]:
    groups = (None, a_group("Percent", "25"), a_group("Fixed", "10", FIXED))
    return [a_buyer(app, price, group) for price, group in zip((LIST, PERCENT, FIXED), groups, strict=True)]


def rate_of(buyer: GroupBuyer) -> str:
    answer = buyer.client.post("/api/v2", data={"key": buyer.key, "action": "services"})
    return str(answer.get_json()[0]["rate"])


def foreign_prices(page: str, price: str) -> set[str]:
    """Prices of others in the page, without the history of list prices."""
    page = page.partition('id="changes"')[0]
    return {each for each in (LIST, PERCENT, FIXED) if each != price and f"${each}" in page}


def test_each_page_names_the_readers_own_price_however_often_and_in_turns(app: Flask, buyers: list[GroupBuyer]) -> None:
    visitor = app.test_client()
    for _ in range(2):
        for path in (*READS, *MORE):
            for buyer in buyers:
                page = buyer.client.get(path).text
                assert f"${buyer.price}" in page, (path, buyer.price)
                assert foreign_prices(page, buyer.price) == set(), (path, buyer.price)
        for path in ("/", "/tools", "/tools/visits"):
            page = visitor.get(path).text
            assert f"${LIST}" in page and foreign_prices(page, LIST) == set() and "your group" not in page.lower()
        assert [rate_of(buyer) for buyer in buyers] == [LIST, PERCENT, FIXED]


def test_form_check_api_order_and_statement_have_one_price(buyers: list[GroupBuyer], tool: Tool) -> None:
    for buyer in buyers:
        form = {"tool": "visits", "link": LINK, "quantity": "1000", "request_id": f"request-{buyer.price}"}
        check = buyer.client.post("/orders/check", data=form)
        hidden = dict(re.findall(r'name="(terms|terms_price)" value="(\d+)"', check.text))
        placed = buyer.client.post("/orders", data={**form, **hidden})
        added = buyer.client.post(
            "/api/v2",
            data={"key": buyer.key, "action": "add", "service": tool.id, "link": LINK, "quantity": "1000"},
        ).get_json()["order"]

        assert placed.status_code == 303 and f"${buyer.price}" in check.text
        own = db.session.scalars(select(Order).where(Order.customer_id == buyer.user.id).order_by(Order.id)).all()
        micros = round(float(buyer.price) * 1_000_000)
        assert [order.price_micros_per_thousand for order in own] == [micros, micros]
        assert [order.charge_nanos for order in own] == [micros * 1_000, micros * 1_000]
        page = buyer.client.get(f"/orders/{own[0].id}").text
        assert f"${buyer.price}" in page and foreign_prices(page, buyer.price) == set()
        statement = buyer.client.get("/balance/statement").text
        assert f"${buyer.price}" in statement and foreign_prices(statement, buyer.price) == set()
        status = buyer.client.post("/api/v2", data={"key": buyer.key, "action": "status", "order": added})
        assert status.get_json()["charge"] == buyer.price
        assert buyer.price in buyer.client.get("/orders.csv").text


def test_mass_order_shows_and_charges_the_groups_price(buyers: list[GroupBuyer]) -> None:
    for buyer in buyers:
        form = {"lines": f"visits | {LINK} | 1000", "request_id": f"request-{buyer.price}"}
        check = buyer.client.post("/orders/mass", data={**form, "step": "check"}).text
        terms = re.findall(r'name="terms" value="([^"]+)"', check)[0]
        placed = buyer.client.post("/orders/mass", data={**form, "step": "place", "terms": terms})

        assert placed.status_code == 200
        assert f"${buyer.price}" in check and f"${buyer.price}" in placed.text


def test_change_of_group_or_its_prices_shows_at_once(buyers: list[GroupBuyer]) -> None:
    _listed, percent, fixed = buyers
    group_id = price_groups.of_customer(fixed.user.id).id  # type: ignore[union-attr]
    for buyer in buyers:
        assert f"${buyer.price}" in buyer.client.get("/tools/visits").text
        # The second answer comes from the cache.
        assert (rate_of(buyer), rate_of(buyer)) == (buyer.price, buyer.price)
    version = reload(percent.user).state_version

    give(percent.user, None)
    assert reload(percent.user).state_version == version + 1
    with transaction():
        price_groups.set_price(group_id, "visits", "0.4321", actor="anna", now=NOON)

    assert f"${LIST}" in text_of(percent.client.get("/tools/visits").text) and rate_of(percent) == LIST
    assert "$0.4321" in fixed.client.get("/tools/visits").text and rate_of(fixed) == "0.4321"
    with transaction():
        price_groups.remove(group_id, actor="anna", now=NOON)
    assert f"${LIST}" in fixed.client.get("/tools").text and rate_of(fixed) == LIST


def test_order_at_a_price_shown_before_the_group_changed_is_asked_again(buyers: list[GroupBuyer]) -> None:
    buyer = buyers[1]
    form = {"tool": "visits", "link": LINK, "quantity": "1000", "request_id": "request-1"}
    check = buyer.client.post("/orders/check", data=form).text
    hidden = dict(re.findall(r'name="(terms|terms_price)" value="(\d+)"', check))
    give(buyer.user, None)

    answer = buyer.client.post("/orders", data={**form, **hidden})

    assert answer.status_code == 409 and f"${LIST}" in answer.text
    assert "terms of this tool have changed" in answer.text
    assert db.session.scalars(select(Order)).all() == []


def test_mass_order_at_a_price_shown_before_is_refused(buyers: list[GroupBuyer]) -> None:
    buyer = buyers[1]
    form = {"lines": f"visits | {LINK} | 1000", "request_id": "request-1"}
    check = buyer.client.post("/orders/mass", data={**form, "step": "check"}).text
    terms = re.findall(r'name="terms" value="([^"]+)"', check)[0]
    give(buyer.user, None)

    answer = buyer.client.post("/orders/mass", data={**form, "step": "place", "terms": terms})

    assert answer.status_code == 422 and db.session.scalars(select(Order)).all() == []


def test_fixed_price_of_a_thousand_is_no_price_of_a_package(app: Flask, tool: Tool) -> None:
    prices = customer_prices.of_group(a_group("Fixed", "", FIXED))

    assert prices.price(tool.id, 917_000, is_package=False) == 561_300
    assert prices.price(tool.id, 5_000_000_000, is_package=True) == 5_000_000_000


def test_webhooks_name_the_prices_of_the_endpoints_owner(app: Flask, buyers: list[GroupBuyer], tool: Tool) -> None:
    for buyer in buyers:
        an_endpoint(app, buyer.user)
    with transaction():
        catalogue_events.announce(now=NOON)

    with transaction():
        tool_settings.set_field("visits", "price_per_thousand", "1", actor="test", now=NOON)
        catalogue_events.announce(now=NOON)

    assert price_events() == [(LIST, "1.00"), (PERCENT, "0.75")]
    give(buyers[1].user, None)
    assert price_events()[2:] == [("0.75", "1.00")]


def price_events() -> list[tuple[str, str]]:
    bodies = [json.loads(body) for body in db.session.scalars(select(Webhook.body).order_by(Webhook.id))]
    tools = [each for body in bodies if body["kind"] == "tool.price_changed" for each in body["tools"]]
    return [(each["rate_before"], each["rate"]) for each in tools]


def test_placing_compares_the_price_that_was_shown(buyers: list[GroupBuyer]) -> None:
    asked = Placing("visits", LINK, "1000", "request-1", shown_price=917_000)

    with pytest.raises(TermsChanged), transaction():
        placing.place_order(buyers[1].user.id, asked=asked, now=NOON)


def test_staff_get_no_price_group() -> None:
    """Operators define the groups, so that one could set their own prices."""
    group_id, operator = a_group("Staff", "50"), an_operator()

    with pytest.raises(ActionRefused, match="pay list prices"), transaction():
        price_groups.give(operator.id, group_id, actor=operator.email, now=NOON)
    with transaction():
        price_groups.give(operator.id, None, actor=operator.email, now=NOON)

    assert customer_prices.of_customer(operator.id).group_id is None
