"""Order history in a real browser: rows update in place, user input survives, and outages are reported."""

import re
import time

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money
from panel.domain.status import Status
from panel.models import LoginSession, User
from panel.services.accounts import users
from panel.services.money import ledger
from panel.services.orders import transitions
from tests.browser.conftest import Tabs
from tests.support.factories import PASSWORD, a_customer, a_tool, an_order

WITHIN_MS = 5_000
POLL_MS = 3_000
TWO_POLLS_MS = 2 * POLL_MS + 500

HIDE = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => window.isHidden === true})"


def move(order_id: int, to: Status, *, remains: int) -> None:
    with transaction():
        transitions.move_order(transitions.lock_order(order_id), to, remains=remains, now=utc_now())


def mark(page: Page) -> None:
    """Set a mark that a reload would remove."""
    page.evaluate("window.isSamePage = true")


def is_same(page: Page) -> bool:
    return bool(page.evaluate("window.isSamePage === true"))


@pytest.fixture
def customer(tabs: Tabs) -> User:
    assert tabs
    return a_customer("1000")


def test_status_and_count_change_in_place_soon_after_the_commit(tabs: Tabs, customer: User) -> None:
    order = an_order(customer=customer)
    tab = tabs.open(customer)
    tab.page.goto("/orders")
    mark(tab.page)
    row = tab.page.locator(f"#order-{order.id}")
    expect(row).to_have_attribute("data-status", "pending")

    move(order.id, Status.IN_PROGRESS, remains=360)

    expect(row).to_have_attribute("data-status", "in_progress", timeout=WITHIN_MS)
    # The old tag fades out next to it for a moment.
    expect(row.locator(".status:not([data-leaving])")).to_have_text("In progress")
    expect(row.locator(f"#count-{order.id}")).to_have_text("640 of 1,000")
    expect(tab.page.locator("#orders-in-progress")).to_have_text("1")
    expect(tab.page.locator("[role=status]")).to_have_text(f"Order {order.id} is now In progress.")
    assert is_same(tab.page)


def test_refund_shows_in_the_bar_immediately(tabs: Tabs, customer: User) -> None:
    order = an_order(customer=customer)
    page = tabs.open(customer).page
    page.goto("/orders")
    balance = page.locator("#balance")
    expect(balance).to_have_text("$999.10")

    move(order.id, Status.PARTIAL, remains=400)

    returned_nanos = 400 * order.price_micros_per_thousand
    now_nanos = money.parse_nanos("999.10") + returned_nanos
    expect(balance).to_have_attribute("data-nanos", str(now_nanos), timeout=WITHIN_MS)
    expect(balance).to_have_text(money.shown(now_nanos))


def test_focus_selection_and_half_typed_text_survive(tabs: Tabs, customer: User) -> None:
    order = an_order(customer=customer)
    page = tabs.open(customer).page
    page.goto("/orders")
    page.locator("#q").fill("half-typed words")
    page.evaluate("document.getElementById('q').focus(); document.getElementById('q').setSelectionRange(5, 10)")

    move(order.id, Status.PROCESSING, remains=1000)
    expect(page.locator(f"#order-{order.id}")).to_have_attribute("data-status", "processing", timeout=WITHIN_MS)

    chosen = "[document.activeElement.id, q.value, q.selectionStart, q.selectionEnd]"
    assert page.evaluate(f"(() => {{ const q = document.getElementById('q'); return {chosen} }})()") == [
        "q",
        "half-typed words",
        5,
        10,
    ]


def test_focus_and_selection_inside_the_list_survive(tabs: Tabs, customer: User) -> None:
    order = an_order(customer=customer)
    page = tabs.open(customer).page
    page.goto("/orders")
    page.locator(f"#open-{order.id}").focus()
    page.evaluate(f"getSelection().selectAllChildren(document.querySelector('#order-{order.id} .order-table__link'))")
    chosen = page.evaluate("getSelection().toString()")

    move(order.id, Status.PROCESSING, remains=1000)
    expect(page.locator(f"#order-{order.id}")).to_have_attribute("data-status", "processing", timeout=WITHIN_MS)

    assert chosen and page.evaluate("getSelection().toString()") == chosen
    assert page.evaluate("document.activeElement.id") == f"open-{order.id}"


def test_polling_ends_when_all_have_ended(tabs: Tabs, customer: User) -> None:
    order = an_order(customer=customer, status=Status.IN_PROGRESS)
    tab = tabs.open(customer)
    tab.has_clock()
    tab.page.goto("/orders")

    move(order.id, Status.COMPLETED, remains=0)
    expect(tab.page.locator(f"#order-{order.id}")).to_have_attribute("data-status", "completed", timeout=WITHIN_MS)
    polls = tab.polls()
    tab.set_forward(TWO_POLLS_MS)

    assert polls == []


def test_hidden_tab_stops_polling_until_it_is_visible_again(tabs: Tabs, customer: User) -> None:
    an_order(customer=customer)
    tab = tabs.open(customer)
    tab.has_clock()
    tab.page.add_init_script(HIDE)
    tab.page.goto("/orders")

    tab.page.evaluate("window.isHidden = true; document.dispatchEvent(new Event('visibilitychange'))")
    polls = tab.polls()
    tab.set_forward(TWO_POLLS_MS)
    while_hidden = list(polls)
    with tab.page.expect_request("**/orders/live", timeout=WITHIN_MS):
        tab.page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")

    assert while_hidden == []


def test_paused_updates_stay_paused_until_resumed(tabs: Tabs, customer: User) -> None:
    an_order(customer=customer)
    tab = tabs.open(customer)
    tab.has_clock()
    tab.page.goto("/orders")

    tab.page.get_by_role("button", name="Pause updates").click()
    expect(tab.page.get_by_role("button", name="Resume updates")).to_be_visible()
    polls = tab.polls()
    tab.set_forward(TWO_POLLS_MS)
    while_paused = list(polls)
    tab.page.get_by_role("button", name="Resume updates").click()

    with tab.page.expect_request("**/orders/live", timeout=WITHIN_MS):
        tab.set_forward(POLL_MS)
    assert while_paused == []


def test_one_failed_answer_does_not_replace_the_list(tabs: Tabs, customer: User) -> None:
    order = an_order(customer=customer)
    tab = tabs.open(customer)
    tab.complaints.expects_failed_answers = True
    failures: list[str] = []

    def fail_once(route: Route) -> None:
        if failures:
            route.continue_()
            return
        failures.append(route.request.url)
        route.fulfill(status=500, content_type="text/html", body="<h1>Something failed on our side</h1>")

    tab.page.route("**/orders/live", fail_once)
    tab.page.goto("/orders")
    row = tab.page.locator(f"#order-{order.id}")
    expect(tab.page.get_by_text("Updates have stopped.")).to_be_visible(timeout=WITHIN_MS)
    still_there = row.is_visible()

    move(order.id, Status.PROCESSING, remains=1000)

    expect(row).to_have_attribute("data-status", "processing", timeout=WITHIN_MS)
    expect(tab.page.get_by_text("Updates have stopped.")).to_be_hidden()
    assert still_there and failures and "failed on our side" not in tab.page.content()


def test_list_stays_with_a_notice_after_log_out_in_another_tab(tabs: Tabs, customer: User) -> None:
    order = an_order(customer=customer)
    tab = tabs.open(customer)
    tab.complaints.expects_failed_answers = True
    tab.page.goto("/orders")

    with transaction():
        db.session.execute(update(LoginSession).where(LoginSession.user_id == customer.id).values(ended_at=utc_now()))

    expect(tab.page.get_by_text("You have been logged out.")).to_be_visible(timeout=WITHIN_MS)
    expect(tab.page.locator(f"#order-{order.id}")).to_be_visible()


def test_time_of_the_last_check_updates_without_changes(tabs: Tabs, customer: User) -> None:
    an_order(customer=customer)
    page = tabs.open(customer).page
    page.goto("/orders")
    shown = page.locator("[data-checked]").inner_text()

    with page.expect_response("**/orders/live", timeout=WITHIN_MS) as polled:
        pass

    assert polled.value.status == 304
    expect(page.locator("[data-checked]")).not_to_have_text(shown)


def test_nothing_scrolls_sideways_on_a_narrow_screen(tabs: Tabs, customer: User) -> None:
    tool = a_tool(f"a-tool-with-a-rather-long-name-{customer.id}", link_pattern=r"https://example\.com/.*")
    for status in Status:
        an_order(customer=customer, tool=tool, status=status, link="https://example.com/" + "long" * 40)
    tab = tabs.open(customer, viewport={"width": 360, "height": 740})
    tab.complaints.expects_failed_answers = True
    page = tab.page

    for path in ("/orders", "/orders?status=done", "/orders?q=nothing-like-this"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_whole_way_also_goes_without_scripts(tabs: Tabs) -> None:
    tool = a_tool(f"no-script-{int(time.time() * 1000)}", price="2.40")
    page = tabs.open(java_script_enabled=False).page
    email = f"{tool.slug}@example.com"

    page.goto("/sign-up")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("main form").get_by_role("button").last.click()
    with transaction():
        user = users.find_by_email(email)
        assert user is not None
        amount_nanos = money.parse_nanos("10")
        ledger.deposit(user.id, amount_nanos=amount_nanos, reason=f"test:{email}", note="Added.", now=utc_now())
    page.goto(f"/orders/new?tool={tool.slug}")
    page.get_by_label("Link").fill("https://example.com/page-1")
    page.get_by_label("Quantity").fill("1000")
    page.get_by_role("button", name=re.compile("Check")).click()
    page.get_by_role("button", name="Place order for $2.40").click()
    page.goto("/orders")
    row = page.locator("tr[id^=order-]")
    expect(row).to_have_attribute("data-status", "pending")
    order_id = int(row.get_attribute("id").removeprefix("order-"))  # type: ignore[union-attr]
    move(order_id, Status.PARTIAL, remains=400)
    page.get_by_role("link", name="Refresh the list").click()

    expect(row).to_have_attribute("data-status", "partial")
    expect(row).to_contain_text("returned $0.96")
    expect(page.locator("#balance")).to_have_attribute("data-nanos", str(money.parse_nanos("8.56")))
