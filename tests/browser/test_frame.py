"""Page layout in Chromium: navigation bar at every width, menus by keyboard, forced colors, print."""

from itertools import count

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from panel.domain.status import Status
from panel.models import User
from tests.browser.conftest import Tabs
from tests.support.factories import a_customer, an_operator, an_order

WIDTHS = (320, 360, 600, 768, 1280, 1920)
_numbers = count(1)
# Two lines of 44 px, and the line below them.
MAX_BAR = 92
LEFT = """all => all.map((each) =>
    Math.round(each.getBoundingClientRect().left + parseFloat(getComputedStyle(each).paddingLeft)))"""


@pytest.fixture
def customer(app: Flask) -> User:
    return a_customer(balance="1234.5678", email=f"a.customer.with.a.long.address.{next(_numbers)}@example.com")


@pytest.mark.parametrize("who", ["visitor", "customer", "operator"])
def test_bar_fits_at_every_width_and_the_frame_has_one_left_edge(tabs: Tabs, customer: User, who: str) -> None:
    user = {"visitor": None, "customer": customer, "operator": an_operator()}[who]
    page = tabs.open(user).page
    page.goto("/office/orders" if who == "operator" else "/faq")

    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        bar = page.locator(".site-bar").bounding_box()
        assert bar is not None and bar["height"] <= (MAX_BAR if width < 768 else 58), (width, bar)
        assert len(set(page.locator(".frame").evaluate_all(LEFT))) == 1, width


def test_menus_work_by_keyboard_and_close_on_escape_and_outside(tabs: Tabs, customer: User) -> None:
    page = tabs.open(customer, viewport={"width": 1280, "height": 800}).page
    page.goto("/faq")
    helps, account = page.locator(".menu").nth(0), page.locator(".menu").nth(1)

    helps.locator("summary").press("Enter")
    expect(helps.get_by_role("link", name="Tickets")).to_be_visible()
    account.locator("summary").press("Enter")
    expect(account.get_by_role("button", name="Log out")).to_be_visible()
    expect(helps.get_by_role("link", name="Tickets")).to_be_hidden()
    account.get_by_role("link", name="Statement").focus()
    page.keyboard.press("Escape")
    expect(account.get_by_role("button", name="Log out")).to_be_hidden()
    expect(account.locator("summary")).to_be_focused()
    helps.locator("summary").click()
    page.locator("main h2").last.click()
    expect(helps.get_by_role("link", name="Tickets")).to_be_hidden()


def test_keyboard_reaches_all_of_the_bar(tabs: Tabs, customer: User) -> None:
    page = tabs.open(customer, viewport={"width": 1280, "height": 800}).page
    page.goto("/faq")

    reached = []
    page.locator(".site-bar__name").focus()
    for _step in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))

    labels = ["Add funds", "Orders", "New order", "Tools", "Help", customer.email]
    assert reached[0].startswith("Balance")
    assert reached[1:] == labels


def test_phone_menu_holds_all_that_the_bar_holds_without_scripts(tabs: Tabs, customer: User) -> None:
    page = tabs.open(customer, viewport={"width": 360, "height": 780}, java_script_enabled=False).page
    page.goto("/faq")

    expect(page.get_by_role("link", name="New order").first).to_be_hidden()
    page.get_by_text("Menu", exact=True).click()
    expect(page.get_by_role("link", name="New order").first).to_be_visible()
    page.locator(".menu[data-kind=account] > summary").click()
    page.locator("header").get_by_role("button", name="Log out").click()
    expect(page.locator("header").get_by_text("Sign up")).to_have_count(1)


def test_current_view_progress_and_theme_are_visible_in_forced_colors(tabs: Tabs, customer: User) -> None:
    an_order(customer=customer, status=Status.IN_PROGRESS)
    page = tabs.open(customer, forced_colors="active", viewport={"width": 1280, "height": 800}).page
    page.goto("/orders")

    assert _style(page, ".views a[aria-current]", "borderBottomColor") != _style(
        page, ".views a:not([aria-current])", "borderBottomColor"
    )
    assert _style(page, ".site-nav__links a[aria-current]", "textDecorationLine") == "underline"
    assert _style(page, ".site-nav__links a:not([aria-current])", "textDecorationLine") == "none"
    assert _style(page, "progress", "forcedColorAdjust") == "none"
    assert _style(page, "footer [aria-pressed=true]", "outlineStyle") == "solid"


def test_paper_has_no_bar_form_or_button_and_links_are_whole(tabs: Tabs, customer: User) -> None:
    whole = f"https://example.com/{'long-' * 30}end"
    an_order(customer=customer, status=Status.PARTIAL, link=whole)
    page = tabs.open(customer, viewport={"width": 1280, "height": 800}).page
    page.goto("/orders")
    page.emulate_media(media="print")

    gone = ".site-bar, .site-footer, .breadcrumb, main form, main button, main .button, .contents, .views"
    assert page.locator(gone).evaluate_all("all => all.filter((each) => each.checkVisibility()).length") == 0
    link = page.locator(".order-table .cut").first
    assert link.evaluate("link => getComputedStyle(link, '::after').content") == f'"{whole}"'
    assert link.evaluate("link => getComputedStyle(link).fontSize") == "0px"


def _style(page: Page, selector: str, name: str) -> str:
    value: str = page.locator(selector).first.evaluate(f"each => getComputedStyle(each).{name}")
    return value


def test_a_tablet_shows_all_pages_of_the_account_without_scrolling(tabs: Tabs) -> None:
    page = tabs.open(a_customer(), viewport={"width": 600, "height": 800}).page
    page.goto("/account")

    ends = page.locator(".settings__nav a").evaluate_all(
        "links => links.map((link) => link.getBoundingClientRect().right)"
    )

    assert len(ends) == 7
    assert max(ends) <= 600
