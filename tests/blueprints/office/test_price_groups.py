"""Price groups in the office: discount, fixed prices and members, each confirmed first; wrong input changes nothing."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db, transaction
from panel.models import AuditLogEntry, GroupMember, PriceGroup, Tool
from panel.services.catalogue import customer_prices
from panel.services.office import price_groups
from panel.services.privacy import closing
from tests.support.factories import NOON, a_customer, a_provider, a_tool
from tests.support.page_text import text_of

INDEX = "/office/price-groups"
GROUP = f"{INDEX}/1"
YES = {"confirmed": "yes"}


def a_group(percent: str = "12.5") -> int:
    with transaction():
        return price_groups.add("Resellers", percent, actor="anna", now=NOON)


def logged_actions() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditLogEntry.action).order_by(AuditLogEntry.id)))


def test_group_is_added_changed_and_removed_with_its_effect_shown_first(office: FlaskClient) -> None:
    a_tool("visits", price="0.90")
    customer = a_customer()

    added = office.post(INDEX, data={"name": "Resellers", "percent": "12.5"})
    given = {"group": "1"}
    asked_group = office.post(f"/office/customers/{customer.id}/price-group", data=given)
    office.post(f"/office/customers/{customer.id}/price-group", data=given | YES)
    change = {"name": "Big resellers", "percent": "20"}
    asked_change = office.post(GROUP, data=change)
    before = customer_prices.of_customer(customer.id).basis_points
    office.post(GROUP, data=change | YES)
    db.session.rollback()
    after = customer_prices.of_customer(customer.id).basis_points
    listed = text_of(office.get(INDEX).text)
    asked_removal = office.post(f"{GROUP}/removal")
    office.post(f"{GROUP}/removal", data=YES)

    assert added.status_code == 303 and added.location == GROUP
    assert "Resellers" in text_of(asked_group.text) and "Nothing has changed yet." in asked_group.text
    assert "12.5% → 20%" in text_of(asked_change.text) and "Customers in the group 1" in text_of(asked_change.text)
    assert (before, after) == (1_250, 2_000)
    assert "Big resellers 20 0 1" in listed
    assert "list prices again" in text_of(asked_removal.text)
    assert logged_actions() == ["price group add", "price group give", "price group change", "price group remove"]
    assert customer_prices.of_customer(customer.id) == customer_prices.LIST_PRICES
    assert "The customer pays list prices." in text_of(office.get(f"/office/customers/{customer.id}").text)


def test_fixed_price_is_set_replaced_and_removed(office: FlaskClient) -> None:
    tool = a_tool("visits", price="0.90")
    a_group()

    asked = text_of(office.post(f"{GROUP}/prices", data={"tool": "visits", "rate": "0.5"}).text)
    office.post(f"{GROUP}/prices", data={"tool": "visits", "rate": "0.5"} | YES)
    office.post(f"{GROUP}/prices", data={"tool": "visits", "rate": "0.45"} | YES)
    page = office.get(GROUP).text
    price_id = re.findall(r"prices/(\d+)/removal", page)[0]
    fixed = dict(customer_prices.of_group(1).fixed)
    office.post(f"{GROUP}/prices/{price_id}/removal")

    assert "List price 0.90" in asked and "The group’s price 0.50" in asked
    assert "$0.90 per 1,000 $0.45 per 1,000" in text_of(page)
    db.session.rollback()
    assert fixed == {tool.id: (450_000, False)} and customer_prices.of_group(1).fixed == {}
    assert logged_actions()[1:] == ["price group price", "price group price", "price group price remove"]


def test_price_below_cost_is_shown_before_it_is_saved_and_on_the_page(office: FlaskClient) -> None:
    tool = a_tool("visits", price="0.90", provider=a_provider("panel_api", name="first"))
    with transaction():
        db.session.get_one(Tool, tool.id).provider_rate_micros = 700_000
    a_group("")

    safe = text_of(office.post(GROUP, data={"name": "Resellers", "percent": "20"}).text)
    costly = text_of(office.post(GROUP, data={"name": "Resellers", "percent": "30"}).text)
    office.post(GROUP, data={"name": "Resellers", "percent": "30"} | YES)

    assert "below cost" not in safe.lower()
    assert "Tools below cost 1" in costly and "Visits: $0.63, costs $0.70" in costly
    assert "1 tool is sold below cost" in text_of(office.get(GROUP).text)


@pytest.mark.parametrize("percent", ["0", "0.00", "100", "-5", "5.123", "a", "1e1", "٥"])
def test_percent_is_above_0_and_below_100(office: FlaskClient, percent: str) -> None:
    answer = office.post(INDEX, data={"name": "Resellers", "percent": percent})

    assert answer.status_code == 422 and "above 0 and below 100" in text_of(answer.text)
    assert db.session.scalars(select(PriceGroup)).all() == []


def test_wrong_names_tools_and_prices_change_nothing(office: FlaskClient) -> None:
    a_tool("visits")
    a_group()
    written = logged_actions()

    assert office.post(INDEX, data={"name": "Resellers", "percent": ""}).status_code == 422
    assert office.post(INDEX, data={"name": " ", "percent": ""}).status_code == 422
    assert office.post(f"{GROUP}/prices", data={"tool": "nothing", "rate": "1"} | YES).status_code == 422
    assert office.post(f"{GROUP}/prices", data={"tool": "visits", "rate": "0"} | YES).status_code == 422
    assert office.post(f"{GROUP}/prices/9/removal").status_code == 404
    assert office.get(f"{INDEX}/9").status_code == 404
    assert office.post(f"{INDEX}/9/removal", data=YES).status_code == 404
    assert logged_actions() == written


def test_closed_account_leaves_its_group(office: FlaskClient) -> None:
    customer, group_id = a_customer("0"), a_group()
    with transaction():
        price_groups.give(customer.id, group_id, actor="anna", now=NOON)

    with transaction():
        closing.close(customer.id, given_up_nanos=0, now=NOON)

    assert db.session.scalars(select(GroupMember)).all() == []
