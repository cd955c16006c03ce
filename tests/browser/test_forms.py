"""Forms in a real browser: the script helps, but nothing depends on it."""

import re

import pytest
from playwright.sync_api import expect

from panel.models import User
from tests.browser.conftest import Tabs
from tests.support.factories import PASSWORD, a_customer, a_tool, an_order

NARROW = {"width": 360, "height": 640}


@pytest.fixture
def customer(tabs: Tabs) -> User:
    assert tabs
    return a_customer("1000")


def test_a_password_is_shown_on_demand_and_sent_hidden(tabs: Tabs) -> None:
    page = tabs.open().page
    page.goto("/log-in")
    field = page.get_by_label("Password", exact=True)
    field.fill(PASSWORD)

    page.get_by_role("button", name="Show password").click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide password").click()

    expect(field).to_have_attribute("type", "password")
    expect(field).to_have_value(PASSWORD)


def test_without_scripts_the_control_is_not_there_and_its_place_is_kept(tabs: Tabs) -> None:
    plain, scripted = tabs.open(java_script_enabled=False).page, tabs.open().page
    tops = []
    for page in (plain, scripted):
        page.goto("/log-in")
        box = page.locator("main form [type=submit]").bounding_box()
        assert box is not None
        tops.append(box["y"])

    expect(plain.get_by_role("button", name="Show password")).to_have_count(0)
    assert tops[0] == tops[1]


def test_an_order_pressed_twice_is_marked_busy_and_placed_once(tabs: Tabs, customer: User) -> None:
    tool = a_tool(f"pressed-twice-{customer.id}", price="2.40")
    page = tabs.open(customer).page
    page.goto(f"/orders/new?tool={tool.slug}&link=https://example.com/page-1&quantity=1000")
    page.get_by_role("button", name="Check your order").click()
    page.wait_for_url("**/orders/check")
    # The page's own listener must be registered before ours, which checks its effect.
    page.wait_for_selector("html[data-scripts=on]", state="attached")
    page.evaluate(
        """document.addEventListener("submit", (event) => {
            event.preventDefault();
            sessionStorage.label = `${event.submitter.textContent}|${event.submitter.getAttribute("aria-disabled")}`;
            setTimeout(() => event.target.submit(), 300);
        }, { once: true })"""
    )

    page.get_by_role("button", name="Place order for $2.40").dblclick()
    page.wait_for_url(re.compile(r"/orders/\d+$"))

    assert page.evaluate("sessionStorage.label") == "Placing the order…|true"
    page.goto("/orders")
    expect(page.locator("tr[id^=order-]")).to_have_count(1)


@pytest.mark.parametrize("has_scripts", [True, False])
def test_the_filters_wait_behind_a_button(tabs: Tabs, customer: User, has_scripts: bool) -> None:
    an_order(customer=customer)
    page = tabs.open(customer, viewport=NARROW, java_script_enabled=has_scripts).page
    page.goto("/orders")

    search, status = page.get_by_label("Order number or link"), page.get_by_label("Status", exact=True)
    expect(search).to_be_visible()
    expect(status).to_be_hidden()
    expect(page.locator("tr[id^=order-]")).to_be_in_viewport()
    search.fill("example")
    page.get_by_text("Filters").click()
    status.select_option("Pending")
    page.get_by_role("button", name="Show orders").click()

    expect(search).to_have_value("example")
    expect(page.get_by_text("1 active")).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
