"""Refill and cancellation in a real browser: a button if it is offered, otherwise the reason."""

from datetime import timedelta

from playwright.sync_api import expect

from panel.clock import utc_now
from panel.domain.status import Status
from tests.browser.conftest import Tabs
from tests.support.factories import a_customer, a_tool, an_order


def test_a_customer_sees_why_a_refill_is_not_offered_and_asks_where_it_is(tabs: Tabs) -> None:
    customer = a_customer("1000")
    tool, other = a_tool(refill_days=30), a_tool(refill_days=None)
    long_ago = utc_now() - timedelta(days=40, hours=1)
    late = an_order(customer=customer, tool=tool, status=Status.COMPLETED, now=long_ago)
    never = an_order(customer=customer, tool=other, status=Status.COMPLETED, now=utc_now())
    fresh = an_order(customer=customer, tool=tool, status=Status.COMPLETED, now=utc_now())
    end = long_ago + timedelta(days=30)
    page = tabs.open(customer).page

    page.goto(f"/orders/{late.id}")
    words = f"Refill was offered until {end.day} {end:%B %Y}; this order completed 40 days ago."
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_role("button", name="Request a refill")).to_have_count(0)

    page.goto(f"/orders/{never.id}")
    expect(page.get_by_text("This tool does not offer refill.")).to_be_visible()
    expect(page.get_by_role("button", name="Request a refill")).to_have_count(0)

    page.goto(f"/orders/{fresh.id}")
    page.get_by_role("button", name="Request a refill").click()
    expect(page.get_by_role("heading", name="asked for")).to_be_visible()
    expect(page.get_by_text("A refill of this order is already running.")).to_be_visible()
    expect(page.get_by_role("button", name="Request a refill")).to_have_count(0)
