"""Order list in Chromium: text fits its cells at every width, columns don't shift, and changes are marked."""

from email.utils import parsedate_to_datetime

import pytest
from playwright.sync_api import Page, expect

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Order, User
from panel.services.orders import cancellations, transitions
from panel.services.providers import health as provider_health
from tests.browser.conftest import Tabs
from tests.support.factories import a_customer, a_provider, a_tool, an_order

WIDTHS = (320, 360, 600, 640, 700, 768, 992, 1280)
WITHIN_MS = 5_000
LONG_LINK = "https://example.com/" + "a-very-long-path-without-an-end/" * 6
# Cells with overflowing content. A tool's name and a link are cut off; their titles have the whole text.
TOO_NARROW = """() => [...document.querySelectorAll('.order-table :is(td, th)')]
  .filter((cell) => cell.offsetParent && !cell.closest('thead') || innerWidth >= 992)
  .filter((cell) => !cell.matches('.order-table__tool, .order-table__link, .order-table__choose'))
  .filter((cell) => cell.scrollWidth > cell.clientWidth + 1)
  .map((cell) => `${innerWidth}: ${cell.className} ${cell.textContent.trim()}`)"""
OVERLAPS = """() => [...document.querySelectorAll('.order-table tbody tr')].flatMap((row) => {
  const shown = [...row.cells].filter((cell) => cell.offsetParent);
  const boxes = shown.map((cell) => [cell.className, cell.getBoundingClientRect()]);
  return boxes.flatMap(([name, a], place) => boxes.slice(place + 1)
    .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
    .map(([other]) => `${innerWidth}: ${row.id} ${name} ${other}`));
})"""
COLUMNS = (
    "() => [...document.querySelectorAll('.order-table thead th')].map((cell) => cell.getBoundingClientRect().left)"
)


def move(order_id: int, to: Status, *, remains: int) -> None:
    with transaction():
        transitions.move_order(transitions.lock_order(order_id), to, remains=remains, now=utc_now())


def orders_of_every_kind(customer: User) -> None:
    """An order in each status, with large figures and a long link, and one for each note."""
    tool = a_tool(
        f"a-tool-with-a-rather-long-name-{customer.id}",
        price="1.234567",
        maximum=10_000_000,
        link_pattern=r"https://example\.com/.*",
    )
    for status in Status:
        an_order(customer=customer, tool=tool, status=status, link=LONG_LINK, quantity=1_000_001)
    unconfirmed = an_order(customer=customer, tool=tool)
    asked, accepted = (an_order(customer=customer, tool=tool, status=Status.IN_PROGRESS) for _ in range(2))
    paused = a_tool(provider=a_provider("simulated"))
    an_order(customer=customer, tool=paused)
    with transaction():
        transitions.set_schedule(transitions.lock_order(unconfirmed.id), unconfirmed_at=utc_now())
        for order in (asked, accepted):
            db.session.get_one(Order, order.id).provider_order_id = f"at-provider-{order.id}"
            cancellations.request_cancellation(order.id, customer_id=customer.id, now=utc_now())
        newest = cancellations.newest_cancellation(accepted.id)
        assert newest is not None
        newest.state = "accepted"
        provider_health.pause(paused.provider_id, reason="Funds", now=utc_now())


@pytest.fixture
def customer(tabs: Tabs) -> User:
    assert tabs
    return a_customer("100000")


def test_every_cell_holds_its_words_at_every_width(tabs: Tabs, customer: User) -> None:
    orders_of_every_kind(customer)
    page = tabs.open(customer).page
    page.goto("/orders")
    notes = page.locator(".order-table__status small").all_inner_texts()
    found = []

    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 780})
        found += page.evaluate(TOO_NARROW) + page.evaluate(OVERLAPS)
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    assert found == []
    assert set(notes) == {"Not confirmed yet", "Cancellation requested", "Being canceled", "Waiting for provider"}


def test_first_row_is_near_the_top_of_a_phone(tabs: Tabs, customer: User) -> None:
    an_order(customer=customer)
    page = tabs.open(customer, viewport={"width": 360, "height": 780}).page
    page.goto("/orders")

    box = page.locator(".order-table tbody tr").first.bounding_box()
    # An open incident of another test would be shown above everything.
    banners = page.evaluate("""() => [...document.querySelectorAll(".incident-banner")].reduce((sum, each) => {
        const style = getComputedStyle(each);
        return sum + each.offsetHeight + parseFloat(style.marginTop) + parseFloat(style.marginBottom);
    }, 0)""")

    assert box is not None and box["y"] - banners < 320


def test_rows_are_one_line_and_columns_keep_still_while_rows_change(tabs: Tabs, customer: User) -> None:
    order, other = an_order(customer=customer), an_order(customer=customer, status=Status.COMPLETED)
    page = tabs.open(customer, viewport={"width": 1280, "height": 780}).page
    page.goto("/orders")
    before = page.evaluate(COLUMNS)

    move(order.id, Status.IN_PROGRESS, remains=400)
    row = page.locator(f"#order-{order.id}")
    expect(row).to_have_attribute("data-status", "in_progress", timeout=WITHIN_MS)

    after = page.evaluate(COLUMNS)
    assert all(abs(was - now) <= 1 for was, now in zip(before, after, strict=True))
    heights = [page.locator(f"#order-{each.id}").bounding_box()["height"] for each in (order, other)]  # type: ignore[index]
    assert all(46 <= height <= 50 for height in heights)


def test_a_changed_row_is_marked_until_it_is_looked_at_and_the_line_says_when_all_have_ended(
    tabs: Tabs, customer: User
) -> None:
    order, chosen = an_order(customer=customer), an_order(customer=customer, status=Status.COMPLETED)
    page = tabs.open(customer).page
    page.goto("/orders")
    row = page.locator(f"#order-{order.id}")
    page.locator(f"#choose-{chosen.id}").check()

    move(order.id, Status.IN_PROGRESS, remains=400)
    expect(page.locator(f"#count-{order.id}[data-changed]")).to_have_text("600 of 1,000", timeout=WITHIN_MS)
    expect(row).to_have_attribute("data-moved", "")
    expect(page.locator(f"#choose-{chosen.id}")).to_be_checked()
    row.hover()
    expect(row).not_to_have_attribute("data-moved", "")

    fresh = an_order(customer=customer, status=Status.COMPLETED)
    expect(page.get_by_role("link", name="1 new order")).to_be_visible(timeout=WITHIN_MS)
    expect(page.locator(f"#order-{fresh.id}")).to_be_hidden()

    move(order.id, Status.COMPLETED, remains=0)
    expect(page.get_by_text("All orders shown have ended")).to_be_visible(timeout=WITHIN_MS)
    expect(page.get_by_role("button", name="Pause updates")).to_be_hidden()
    page.reload()
    expect(page.get_by_text("All orders shown have ended")).to_be_visible()


def test_nothing_moves_for_those_who_want_no_motion_and_marks_stay(tabs: Tabs, customer: User) -> None:
    order = an_order(customer=customer)
    page = tabs.open(customer, reduced_motion="reduce").page
    page.goto("/orders")

    move(order.id, Status.IN_PROGRESS, remains=400)
    count = page.locator(f"#count-{order.id}")
    expect(count).to_have_attribute("data-changed", "", timeout=WITHIN_MS)

    assert page.evaluate("document.getAnimations().length") == 0
    assert page.locator("[data-leaving]").count() == 0


def test_time_of_the_last_check_is_the_servers(tabs: Tabs, customer: User) -> None:
    an_order(customer=customer)
    page = tabs.open(customer).page
    page.clock.install(time="2031-01-01T00:00:00Z")
    page.goto("/orders")

    with page.expect_response("**/orders/live", timeout=WITHIN_MS) as polled:
        page.clock.fast_forward(4_000)

    assert polled.value.status == 304
    expect(page.locator("[data-checked] time")).to_have_attribute("datetime", _as_iso(polled.value.headers["date"]))


def _as_iso(date: str) -> str:
    return f"{parsedate_to_datetime(date):%Y-%m-%dT%H:%M:%SZ}"


def test_cancel_asks_in_a_dialog_and_keeps_the_order_if_declined(tabs: Tabs, customer: User) -> None:
    order = an_order(customer=customer)
    page: Page = tabs.open(customer).page
    page.goto(f"/orders/{order.id}")

    page.get_by_role("link", name="Cancel order", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Cancel order {order.id}?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("link", name="Keep order").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name="Cancel order", exact=True).click()
    dialog.get_by_role("button", name=f"Cancel order {order.id}").click()

    expect(page.locator(f"#order-{order.id}")).to_have_attribute("data-status", "canceled")
