"""The office in a real browser: working a queue by keyboard, and lists that don't move while in use."""

from playwright.sync_api import Page, expect

from panel.clock import utc_now
from panel.db import transaction
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.services import reviews
from panel.services.tickets import opening
from panel.services.tickets.opening import Asked
from panel.services.tickets.subjects import SubjectNumbers
from tests.browser.conftest import Tabs
from tests.support.factories import a_customer, a_tool, an_operator, an_order, reload

POLL_MS = 3_000
TWO_POLLS_MS = 2 * POLL_MS + 1_500


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def reach(page: Page, name: str) -> None:
    """Press Tab until the field with this id has the focus."""
    for _ in range(80):
        if page.evaluate("document.activeElement.id") == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name} cannot be reached by Tab")


def test_keyboard_shortcuts_are_hidden_on_a_phone(tabs: Tabs) -> None:
    operator = an_operator()
    desk, phone = tabs.open(operator).page, tabs.open(operator, is_mobile=True, has_touch=True).page

    for page in (desk, phone):
        page.goto("/office/customers")

    expect(desk.locator(".office-keys")).to_be_visible()
    expect(phone.locator(".office-keys")).to_be_hidden()


def test_operator_works_a_queue_by_keyboard_alone(tabs: Tabs) -> None:
    customer = a_customer("1000")
    first, second = (an_order(customer=customer, provider="manual", status=Status.IN_PROGRESS) for _ in range(2))
    page = tabs.open(an_operator()).page
    page.goto("/office")
    queue = page.locator("#queue-manual a")

    for _ in range(20):
        press(page, "j")
        if page.evaluate("document.activeElement.id") == "open-manual":
            break
    expect(queue).to_be_focused()
    press(page, "Enter")
    expect(page.locator("h1")).to_have_text("Manual orders")
    press(page, "j", "j", "k", "j")
    expect(page.locator(f"#open-{first.id}")).to_be_focused()
    press(page, "Enter")
    expect(page.locator("h1")).to_have_text(f"Order #{first.id}")

    reach(page, "remains")
    page.keyboard.type("360")
    reach(page, "reason")
    page.keyboard.type("j and k are letters here.")
    reach(page, "to-partial")
    press(page, "Enter")
    expect(page.locator("h1")).to_have_text(f"Set order {first.id} to Partial")
    assert reload(first).status == Status.IN_PROGRESS
    for _ in range(60):
        press(page, "Tab")
        if page.evaluate("document.activeElement.textContent") == "Set to Partial and return $0.324":
            break
    press(page, "Enter")
    expect(page.locator(".notice[data-kind=good]")).to_have_text(f"Order {first.id} is Partial.")
    press(page, "u")
    expect(page.locator("h1")).to_have_text("Manual orders")

    expect(page.locator(f"#open-{second.id}")).to_be_visible()
    expect(page.locator(f"#open-{first.id}")).to_have_count(0)
    assert (reload(first).status, first.returned_nanos) == (Status.PARTIAL, 324_000_000)


def test_list_keeps_still_while_a_row_is_in_use_and_says_how_many_are_newer(tabs: Tabs) -> None:
    customer = a_customer("1000")
    known = an_order(customer=customer)
    tab = tabs.open(an_operator())
    tab.has_clock()
    page = tab.page
    page.goto("/office/orders")
    expect(page.locator(f"#open-{known.id}")).to_be_visible()
    press(page, "j")
    newest = page.evaluate("document.activeElement.id")

    fresh = an_order(customer=customer)

    held = page.locator("[data-held]")
    expect(held).to_contain_text("1 newer.", timeout=TWO_POLLS_MS)
    expect(page.locator(f"#open-{fresh.id}")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == newest
    press(page, "x", "Escape")
    tab.set_forward(TWO_POLLS_MS)
    expect(page.locator(f"#open-{fresh.id}")).to_have_count(0)
    press(page, "j", "x", "Escape")
    expect(page.locator(f"#open-{fresh.id}")).to_be_visible(timeout=TWO_POLLS_MS)
    expect(held).to_be_hidden()


def test_keys_can_be_turned_off_and_stay_off(tabs: Tabs) -> None:
    an_order()
    page = tabs.open(an_operator()).page
    page.goto("/office/orders")

    page.get_by_role("button", name="Turn keys off").click()
    page.reload()
    press(page, "j")

    assert page.evaluate("document.activeElement === document.body")
    page.get_by_role("button", name="Turn keys on").click()
    press(page, "j")
    assert str(page.evaluate("document.activeElement.id")).startswith("open-")


def test_u_key_returns_to_the_same_row_and_from_a_list_to_the_dashboard(tabs: Tabs) -> None:
    customer = a_customer("1000")
    orders = [an_order(customer=customer, quantity=10) for _ in range(12)]
    page = tabs.open(an_operator()).page
    page.goto("/office/orders?live=off")
    page.goto("/office/orders?status=pending")
    press(page, *["j"] * 8)
    expect(page.locator(f"#open-{orders[4].id}")).to_be_focused()
    press(page, "Enter")
    expect(page.locator("h1")).to_have_text(f"Order #{orders[4].id}")

    press(page, "u")

    expect(page.locator("h1")).to_have_text("Orders")
    expect(page.locator(f"#open-{orders[4].id}")).to_be_focused()
    expect(page.locator(f"#open-{orders[4].id}")).to_be_in_viewport()
    press(page, "j")
    expect(page.locator(f"#open-{orders[3].id}")).to_be_focused()
    press(page, "u")
    expect(page.locator("h1")).to_have_text("Dashboard")


def test_u_key_goes_back_through_the_pages_that_one_came_by_to_the_link_of_each(tabs: Tabs) -> None:
    order = an_order(provider="manual", status=Status.IN_PROGRESS)
    with transaction():
        reviews.open_review(ReviewKind.REPORT, order_id=order.id, text="Look at this.", now=utc_now())
    to_order = f"tr[id^=review-] a[href^='/office/orders/{order.id}']"
    page = tabs.open(an_operator()).page
    page.goto("/office")
    page.locator("#open-reviews").click()
    page.locator(to_order).click()
    page.locator(f"main a[href^='/office/customers/{order.customer_id}']").first.click()
    expect(page.get_by_role("link", name="Back to customers")).to_be_visible()

    press(page, "u")
    expect(page.locator("h1")).to_have_text(f"Order #{order.id}")
    assert f"/office/customers/{order.customer_id}" in page.evaluate("document.activeElement.href")
    press(page, "u")
    expect(page.locator("h1")).to_have_text("Reviews")
    expect(page.locator(to_order)).to_be_focused()
    press(page, "u")
    expect(page.locator("h1")).to_have_text("Dashboard")
    expect(page.locator("#open-reviews")).to_be_focused()

    page.locator("#open-reviews").click()
    page.locator(to_order).click()
    page.get_by_role("navigation", name="Office").get_by_role("link", name="Reviews").click()
    expect(page.locator("h1")).to_have_text("Reviews")
    press(page, "u")
    expect(page.locator("h1")).to_have_text("Dashboard")


def test_tables_fit_or_scroll_visibly_by_keyboard_at_768_pixels(tabs: Tabs) -> None:
    order = an_order(provider="manual")
    page = tabs.open(an_operator()).page
    page.set_viewport_size({"width": 768, "height": 900})
    for address in ("/office", "/office/orders", "/office/reviews", "/office/customers", f"/office/orders/{order.id}"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        wrong = page.evaluate(
            """[...document.querySelectorAll("main table")].filter((table) => {
              const frame = table.closest("section[tabindex='0'][aria-label]");
              const isCut = table.scrollWidth > (frame ?? table.parentElement).clientWidth + 1;
              return isCut && !(frame && getComputedStyle(frame).overflowX === "auto"
                && parseFloat(getComputedStyle(frame).borderInlineEndWidth) > 0);
            }).length"""
        )
        assert wrong == 0, address


def test_table_of_orders_fits_without_scrolling_at_every_width(tabs: Tabs) -> None:
    customer = a_customer("1000", email="a-rather-long-address-of-a-customer@mail.example.com")
    ended = an_order(
        customer=customer,
        quantity=100_000,
        status=Status.PARTIAL,
        remains=2_000,
        link=f"https://example.com/{'long' * 20}",
        tool=a_tool("a-tool-whose-name-is-longer-than-most"),
    )
    page = tabs.open(an_operator()).page
    page.goto("/office/orders")

    for width in (320, 360, 600, 768, 1024, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        cut = page.evaluate(
            """[...document.querySelectorAll(".table-frame")].map((frame) => frame.scrollWidth - frame.clientWidth)"""
        )
        assert cut == [0], width
        expect(page.locator(f"#money-{ended.id}")).to_be_visible()


def test_list_without_rows_offers_neither_actions_nor_keys_for_rows(tabs: Tabs) -> None:
    order = an_order()
    page = tabs.open(an_operator()).page

    page.goto(f"/office/orders?q={order.id}")
    expect(page.get_by_role("button", name="Open reviews")).to_be_visible()
    expect(page.locator(".office-keys")).to_be_visible()
    page.goto("/office/orders?q=nothing-has-this-text")
    expect(page.get_by_text("No orders match these filters.")).to_be_visible()
    expect(page.get_by_role("button", name="Open reviews")).to_be_hidden()
    expect(page.locator(".office-keys")).to_be_hidden()


def test_table_of_tickets_fits_at_768_pixels(tabs: Tabs) -> None:
    page = tabs.open(an_operator()).page
    customer = a_customer(email="another-rather-long-address-of-a-customer@mail.example.com")
    asked = Asked("other", "A question", "Is it so?", request_id="table-fits", wanted=SubjectNumbers())
    with transaction():
        opening.open_ticket(customer.id, asked=asked, now=utc_now())
    page.set_viewport_size({"width": 768, "height": 900})
    page.goto("/office/tickets")

    cut = page.locator(".table-frame").evaluate("(frame) => frame.scrollWidth - frame.clientWidth")

    assert cut == 0


def test_navigation_of_the_office_can_be_scrolled_on_a_low_screen(tabs: Tabs) -> None:
    page = tabs.open(an_operator()).page
    page.set_viewport_size({"width": 1280, "height": 480})
    page.goto("/office")

    navigation = page.get_by_role("navigation", name="Office")

    assert navigation.evaluate("it => it.clientHeight <= innerHeight && it.scrollHeight > it.clientHeight")
    last = navigation.get_by_role("link").last
    last.focus()
    expect(last).to_be_in_viewport(ratio=1)


def test_bulk_actions_stay_in_view_while_orders_are_selected(tabs: Tabs) -> None:
    customer = a_customer("1000")
    for _ in range(30):
        an_order(customer=customer, quantity=10)
    page = tabs.open(an_operator()).page
    page.set_viewport_size({"width": 1280, "height": 700})
    page.goto("/office/orders")
    cancel = page.get_by_role("button", name="Cancel unsent orders")
    expect(cancel).not_to_be_in_viewport()

    press(page, "j", "x")

    expect(cancel).to_be_in_viewport()
    press(page, "Escape", *["j"] * 25)
    covered = page.evaluate(
        """(() => { const bar = document.getElementById("bulk").getBoundingClientRect();
          const row = document.activeElement.getBoundingClientRect(); return row.bottom > bar.top + 1; })()"""
    )
    assert not covered
