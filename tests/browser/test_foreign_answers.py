"""Foreign responses to polls of live regions, such as a proxy's log-in page: not swapped in, and a notice is shown."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from panel.clock import utc_now
from panel.db import transaction
from panel.domain.status import Status
from panel.models import User
from panel.services.orders import transitions
from tests.browser.conftest import Tabs
from tests.support.factories import a_customer, a_tool, an_operator, an_order
from tests.support.ticket_factories import a_ticket

WITHIN_MS = 6_000
POLL_MS = 3_000
FOREIGN = "<!doctype html><title>Proxy</title><section id='live'><h1>Sign in to the proxy</h1></section>"
STOPPED = "Updates have stopped."


def html(body: str, status: int = 200, **headers: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, content_type="text/html", body=body, headers=headers)


ANSWERS: dict[str, Callable[[Route], None]] = {
    "a page with status 200": html(FOREIGN),
    "a region of the same name": html("<section id='live' data-hx-ptag='x'>Sign in to the proxy</section>"),
    "nothing with status 200": html(""),
    "a 202": html(FOREIGN, status=202),
    "a redirect to another page of this site": html("", status=302, Location="/log-in"),
    "a 502": html(FOREIGN, status=502),
    "a proxy's own 401": html(FOREIGN, status=401),
    "a 304 of nobody": html("", status=304),
    "headers that lead away": html(FOREIGN, **{"HX-Redirect": "/log-in", "HX-Refresh": "true"}),
}


EACH_REGION = (
    "a page with status 200",
    "nothing with status 200",
    "a redirect to another page of this site",
    "a 502",
)


def poll(page: Page) -> None:
    """Poll now, as the page does when its tab becomes visible."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def is_whole(page: Page) -> bool:
    """Whether the page still has its content and its live region."""
    return bool(page.evaluate("window.isSamePage === true")) and page.locator("section#live").count() == 1


@pytest.mark.parametrize("kind", ANSWERS)
def test_response_of_another_server_counts_as_a_failed_poll(tabs: Tabs, kind: str) -> None:
    customer = a_customer("1000")
    order = an_order(customer=customer)
    tab = tabs.open(customer)
    tab.complaints.expects_failed_answers = True
    tab.has_clock()
    page = tab.page
    page.goto("/orders")
    page.evaluate("window.isSamePage = true")
    row = page.locator(f"#order-{order.id}")

    page.route("**/orders/live", ANSWERS[kind])
    tab.set_forward(POLL_MS)
    expect(page.get_by_text(STOPPED)).to_be_visible(timeout=WITHIN_MS)
    for _ in range(2):  # The second poll starts once the page has read the first response.
        with page.expect_request("**/orders/live", timeout=WITHIN_MS):
            tab.set_forward(POLL_MS)

    assert is_whole(page) and row.is_visible() and "Sign in to the proxy" not in page.content()
    assert page.get_by_text("You have been logged out.").is_hidden()

    page.unroute("**/orders/live")
    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.PROCESSING, remains=1000, now=utc_now())
    tab.set_forward(POLL_MS)
    expect(row).to_have_attribute("data-status", "processing", timeout=WITHIN_MS)
    expect(page.get_by_text(STOPPED)).to_be_hidden()


@pytest.mark.parametrize("which", ["order", "ticket", "office", "office orders", "office tickets"])
def test_live_region_ignores_the_page_of_another_server(tabs: Tabs, which: str) -> None:
    customer, operator = a_customer("1000"), an_operator()
    order = an_order(customer=customer)
    person, address = _page(which, customer, operator, order.id)
    tab = tabs.open(person)
    tab.complaints.expects_failed_answers = True
    page = tab.page
    page.goto(address)
    page.evaluate("window.isSamePage = true")
    before = page.locator("section#live").inner_text()

    for kind in EACH_REGION:
        page.route("**/live*", ANSWERS[kind])
        poll(page)
        expect(page.get_by_text(STOPPED)).to_be_visible(timeout=WITHIN_MS)
        assert is_whole(page) and page.locator("section#live").inner_text() == before, kind

        page.unroute("**/live*")
        poll(page)
        expect(page.get_by_text(STOPPED)).to_be_hidden(timeout=WITHIN_MS)
        assert is_whole(page), kind


@pytest.mark.parametrize("kind", [*EACH_REGION, "a proxy's own 401"])
def test_price_line_ignores_the_response_of_another_server(tabs: Tabs, kind: str) -> None:
    tool = a_tool(price="2.40")
    tab = tabs.open(a_customer("10"))
    tab.complaints.expects_failed_answers = True
    page = tab.page
    page.goto(f"/orders/new?tool={tool.slug}&quantity=1000")
    line = page.locator("#quote .price-line")
    expect(line).to_contain_text("$2.40")

    page.route("**/orders/price*", ANSWERS[kind])
    page.get_by_label("Quantity").fill("2000")
    expect(line).to_contain_text("can’t be shown right now", timeout=WITHIN_MS)
    assert "Sign in to the proxy" not in page.content()

    page.unroute("**/orders/price*")
    page.get_by_label("Quantity").fill("3000")
    expect(line).to_contain_text("$7.20", timeout=WITHIN_MS)


def _page(which: str, customer: User, operator: User, order_id: int) -> tuple[User, str]:
    match which:
        case "order":
            return customer, f"/orders/{order_id}"
        case "ticket":
            return customer, f"/tickets/{a_ticket(customer=customer, now=utc_now()).id}"
        case _:
            return operator, f"/{which.replace(' ', '/')}"
