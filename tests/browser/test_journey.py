"""A new customer's journey: sign up, add funds, order, watch, get a refund; by mouse, by keyboard, and without
scripts, with an operator in a second browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Order, User
from panel.services.orders import transitions
from tests.browser.conftest import Tabs
from tests.support.factories import LINK, PASSWORD, a_customer, a_tool, an_operator

MAX_PRESSES = 150
MAX_PAGE_VIEWS = 9
WITHIN_MS = 5_000

Press = Callable[[Locator], None]


def by_mouse(target: Locator) -> None:
    target.click()


def by_keyboard(target: Locator) -> None:
    """Tab from the top of the page to the target and press Enter."""
    target.wait_for()
    page = target.page
    page.evaluate("document.activeElement.blur()")
    for _press in range(MAX_PRESSES):
        page.keyboard.press("Tab")
        if target.evaluate("(element) => element === document.activeElement"):
            return page.keyboard.press("Enter")
    raise AssertionError(f"{target} is not reached by Tab")


def write(page: Page, label: str, text: str, press: Press) -> None:
    field = page.get_by_label(label, exact=True)
    if press is by_mouse:
        field.fill(text)
        return None
    field.wait_for()
    for _press in range(MAX_PRESSES):
        page.keyboard.press("Tab")
        if field.evaluate("(element) => element === document.activeElement"):
            return page.keyboard.type(text)
    raise AssertionError(f"{label} is not reached by Tab")


def main(page: Page) -> Locator:
    return page.get_by_role("main")


def order_of(email: str) -> Order:
    db.session.rollback()
    return db.session.scalars(select(Order).join(User, User.id == Order.customer_id).where(User.email == email)).one()


def move(order_id: int, to: Status, *, remains: int) -> None:
    with transaction():
        transitions.move_order(transitions.lock_order(order_id), to, remains=remains, now=utc_now())


@pytest.mark.parametrize(
    ("name", "press", "scripts"),
    [
        ("mouse", by_mouse, True),
        ("keyboard", by_keyboard, True),
        ("no-scripts", by_mouse, False),
    ],
)
def test_new_customer_comes_from_the_landing_to_a_refund(tabs: Tabs, name: str, press: Press, scripts: bool) -> None:
    tool, operator, email = a_tool(), an_operator(), f"{name}@example.com"
    page = tabs.open(java_script_enabled=scripts).page
    office = tabs.open(operator).page

    page.goto("/")
    press(main(page).get_by_role("link", name="Create account").first)
    write(page, "Email", email, press)
    write(page, "Password", PASSWORD, press)
    press(main(page).get_by_role("button", name="Create account"))
    expect(page).to_have_url(re.compile("/welcome$"))
    press(main(page).get_by_role("link", name="Add funds"))
    press(main(page).get_by_role("button", name="$25.00"))
    expect(page.locator("#state")).to_contain_text("Waiting for your payment of $25.00")

    confirm(office, page.url.rpartition("/")[2])

    if not scripts:
        page.reload()
    expect(page.locator("#state")).to_have_text("$25.00 was added to your balance.", timeout=WITHIN_MS)
    press(main(page).get_by_role("link", name="New order"))
    place(page, press, tool=tool.slug)

    order = order_of(email)
    number, price = order.id, order.price_micros_per_thousand
    move(number, Status.IN_PROGRESS, remains=600)
    if not scripts:
        page.reload()
    expect(page.locator(f"#count-{number}").first).to_contain_text("400", timeout=WITHIN_MS)
    move(number, Status.PARTIAL, remains=500)
    if not scripts:
        page.reload()
    expect(main(page).locator(".status").first).to_have_text("Partial", timeout=WITHIN_MS)
    left_nanos = 25 * 10**9 - 1_000 * price + 500 * price
    expect(page.locator("#balance")).to_have_attribute("data-nanos", str(left_nanos))


def confirm(office: Page, reference: str) -> None:
    office.goto(f"/office/deposits/{reference}")
    office.get_by_label(re.compile("^Amount received")).fill("25")
    office.get_by_label("Transaction ID").fill("Transfer 1")
    main(office).get_by_role("button", name="Check the payment").click()
    main(office).get_by_role("button", name="Add $25.00").click()
    expect(office).to_have_url(re.compile("/office/deposits$"))


def place(page: Page, press: Press, *, tool: str) -> None:
    """Go from the list of tools to the placed order."""
    write(page, "Search tools", tool, press)
    press(main(page).get_by_role("button", name="Search", exact=True))
    press(main(page).locator(f'a[href^="/orders/new?tool={tool}"]').first)
    write(page, "Link", LINK, press)
    write(page, "Quantity", "1,000", press)
    press(main(page).get_by_role("button", name="Check your order").last)
    press(main(page).get_by_role("button", name=re.compile("^Place order")))
    expect(page).to_have_url(re.compile(r"/orders/\d+"))


def test_funded_customer_needs_few_page_views_from_the_landing_to_a_placed_order(tabs: Tabs) -> None:
    tool, customer = a_tool(), a_customer("100")
    page = tabs.open().page
    views: list[str] = []
    page.on("domcontentloaded", lambda shown: views.append(shown.url))

    page.goto("/")
    page.get_by_role("link", name="Log in").first.click()
    write(page, "Email", customer.email, by_mouse)
    write(page, "Password", PASSWORD, by_mouse)
    main(page).get_by_role("button", name="Log in").click()
    page.get_by_role("navigation").get_by_role("link", name="New order").click()
    place(page, by_mouse, tool=tool.slug)

    assert 5 < len(views) <= MAX_PAGE_VIEWS, views
