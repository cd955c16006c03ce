"""Ways to use the site: by keyboard, without scripts, with forced colors, and in print."""

import contextlib
import itertools
import re

import pytest
from playwright.sync_api import Error, FloatRect, Page, expect

from panel.domain.status import Status
from panel.models import User
from tests.browser.conftest import Tabs
from tests.support.factories import LINK, a_customer, a_tool, an_order

# Everything that Tab reaches, in page order, each as a line of text.
STOPS = """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
    .filter((each) => !each.disabled && each.checkVisibility({visibilityProperty: true}))
    .map((each, place) => (each.dataset.stop = String(place)))"""
# The focused element, and whether it is visible: focus ring, inside the window, not covered.
FOCUS = """() => {
    const here = document.activeElement, style = getComputedStyle(here), box = here.getClientRects()[0];
    const x = Math.max(1, box.left + Math.min(box.width / 2, innerWidth / 2)), y = box.top + box.height / 2;
    const top = document.elementFromPoint(x, y);
    return {
        stop: here.dataset.stop,
        name: (here.textContent || here.name).trim().slice(0, 30),
        ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        seen: box.height > 0 && y >= 0 && y <= innerHeight && (top === here || here.contains(top)),
    };
}"""
MAX_PRESSES = 120
CAPTURES = 3
CORNER: FloatRect = {"x": 2, "y": 300, "width": 4, "height": 4}
# An A4 sheet between its margins.
PAPER = {"width": 680, "height": 1000}
# Two lines of the statement's small print are higher.
MAX_HEIGHT_OF_AN_ENTRY = 32
POINTS_BEYOND_THE_EDGE = """(lines) => lines.map((line) =>
    document.getElementById("main").getBoundingClientRect().left
    - line.getBoundingClientRect().left - line.clientLeft - parseFloat(getComputedStyle(line, "::before").left))"""
PAGE = re.compile(rb"/Type\s*/Page\b")


@pytest.fixture
def customer(tabs: Tabs) -> User:
    assert tabs
    return a_customer("1000")


@pytest.mark.parametrize("path", ["/", "/log-in", "/orders", "/balance/statement"])
def test_tab_key_follows_page_order_with_visible_focus(tabs: Tabs, customer: User, path: str) -> None:
    an_order(customer=customer)
    page = tabs.open(None if path in ("/", "/log-in") else customer).page
    page.goto(path)
    stops = page.evaluate(STOPS)

    reached = [_next_stop(page)]
    while reached[-1]["stop"] != stops[-1] and len(reached) < MAX_PRESSES:
        reached.append(_next_stop(page))

    assert len(stops) > 10
    # A date field has several tab stops.
    assert [stop for stop, _ in itertools.groupby(each["stop"] for each in reached)] == stops
    assert [stop["name"] for stop in reached if not (stop["ring"] and stop["seen"])] == []


def _next_stop(page: Page) -> dict[str, object]:
    page.keyboard.press("Tab")
    found: dict[str, object] = page.evaluate(FOCUS)
    return found


def test_the_skip_link_leads_past_the_bar(tabs: Tabs) -> None:
    page = tabs.open().page
    page.goto("/tools")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the main content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert page.evaluate("document.getElementById('main').contains(document.activeElement)")


def test_colors_are_chosen_and_remembered_without_scripts(tabs: Tabs) -> None:
    page = tabs.open(java_script_enabled=False, color_scheme="light").page
    page.goto("/faq")
    light = _background(page)

    page.get_by_role("button", name="Dark", exact=True).click()

    assert page.url.endswith("/faq")
    dark = _background(page)
    page.goto("/tools")
    assert dark != light
    assert _background(page) == dark
    page.get_by_role("button", name="System", exact=True).click()
    assert _background(page) == light


def _background(page: Page) -> str:
    # The page's scripts are off, but Playwright can still evaluate code.
    for _attempt in range(CAPTURES - 1):
        # On a busy machine Chromium sometimes can't capture a page that has just been painted.
        with contextlib.suppress(Error):
            return page.screenshot(clip=CORNER).hex()
    return page.screenshot(clip=CORNER).hex()


@pytest.mark.parametrize("sheet", ["A4", "Letter"])
def test_a_receipt_prints_on_one_sheet(tabs: Tabs, customer: User, sheet: str) -> None:
    order = an_order(customer=customer, status=Status.PARTIAL)
    page = tabs.open(customer).page
    page.goto(f"/orders/{order.id}/receipt")

    printed = page.pdf(format=sheet)

    assert len(PAGE.findall(printed)) == 1


def test_print_leaves_out_what_paper_cannot_use(tabs: Tabs, customer: User) -> None:
    order = an_order(customer=customer)
    page = tabs.open(customer, color_scheme="dark").page
    page.goto(f"/orders/{order.id}")
    page.emulate_media(media="print")

    for gone in (".site-bar", ".site-footer", ".breadcrumb", "main form"):
        assert page.locator(f"{gone}:visible").count() == 0, gone
    expect(page.locator(".print-head")).to_contain_text(customer.email)
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light only"


def test_paper_shows_bars_whole_points_and_an_entry_a_line(tabs: Tabs, customer: User) -> None:
    order = an_order(customer=customer)
    page = tabs.open(customer, viewport=PAPER).page
    page.emulate_media(media="print")

    page.goto(f"/orders/{order.id}")
    points = page.locator(".timeline > li").evaluate_all(POINTS_BEYOND_THE_EDGE)
    bar = page.locator("main progress").evaluate("(bar) => getComputedStyle(bar).printColorAdjust")
    page.goto("/balance/statement")
    rows = page.locator(".ledger tbody tr").evaluate_all(
        "(rows) => rows.map((row) => row.getBoundingClientRect().height)"
    )

    assert points and max(points) <= 0
    assert bar == "exact"
    assert rows and max(rows) < MAX_HEIGHT_OF_AN_ENTRY


def test_tags_keep_their_outline_and_icon_in_forced_colors(tabs: Tabs, customer: User) -> None:
    for status in Status:
        an_order(customer=customer, status=status)
    page = tabs.open(customer, forced_colors="active").page
    page.goto("/orders")

    outlines = page.locator("#live .status").evaluate_all(
        "tags => tags.map((tag) => getComputedStyle(tag).borderTopStyle)"
    )
    icons = page.locator("#live .status svg").evaluate_all(
        "icons => icons.map((icon) => icon.getBoundingClientRect().width)"
    )

    assert len(outlines) == len(icons) == len(Status)
    assert set(outlines) <= {"solid", "dashed"}
    assert set(icons) == {16}


def test_an_order_is_placed_stopped_and_paid_back_without_scripts(tabs: Tabs, customer: User) -> None:
    tool = a_tool(price="2.40")
    page = tabs.open(customer, java_script_enabled=False).page
    page.goto(f"/tools/{tool.slug}")
    page.get_by_role("button", name="Add to favorites").click()
    page.get_by_role("link", name="Order this tool").click()
    page.get_by_label("Link").fill(LINK)
    page.get_by_label("Quantity").fill("1000")
    page.get_by_role("button", name="Check your order").click()
    page.get_by_role("button", name="Place order for $2.40").click()

    page.get_by_role("link", name="Cancel order").click()
    page.get_by_role("button", name=re.compile("^Cancel")).click()

    expect(page.locator(".status").first).to_have_text(Status.CANCELED.label)
    page.goto("/balance/statement")
    assert page.get_by_text("$2.40").count() >= 2
    page.locator("summary", has_text=customer.email).click()
    page.get_by_role("button", name="Log out").click()
    page.goto("/orders")
    assert "/log-in" in page.url
